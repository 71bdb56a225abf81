"""`Encoder`: from paragraphs to the vectors of their words in context, and to their mean."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labels.normalise import NormalText, normalise_with_offsets
from training.encoder.files import TOKENIZER_FILE, EncoderWeights, read_encoder
from training.encoder.function_words import FUNCTION_WORDS
from training.encoder.graph import CompiledEncoder, Float, relative_bias
from training.encoder.runtime import available_cores
from training.encoder.side_by_side import SideBySide
from training.encoder.stopping import while_wanted
from training.errors import ModelFileError

# Words as readers see them, with their apostrophes and hyphens; numbers are not shown as evidence.
_WORD = re.compile(r"\w*[^\W\d]\w*(?:['-]\w+)*")
_ANYTHING = re.compile(r"\S+")
_WARM_UP_TOKENS = 16


@dataclass(frozen=True, eq=False)
class EncodedParagraph:
    """The vectors of a paragraph's m words and the mean over its tokens.

    vectors: (m, d), for each word the sum over its tokens divided by the number of tokens of the paragraph, so that
    they add up to `mean`, (d,); punctuation, numbers and function words (the, of …) count with the word before them,
    at the beginning with the first word. starts, ends: (m,), spans of the words in the paragraph as submitted; words:
    (m,), equal for the places of the same word, from 0 in the order of the text.
    """

    mean: Float
    vectors: Float
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    words: NDArray[np.int64]


class Encoder:
    """Encodes paragraphs, each by its own text only. May be used by several threads."""

    def __init__(self, weights: EncoderWeights, tokenizer: Any) -> None:
        self._graph = CompiledEncoder(weights)
        # The graph has the layers now; here they would only take memory.
        self.weights = weights = replace(weights, layers=())
        self._tokenizer = tokenizer
        self._cores = available_cores()
        # OpenVINO lets go of the interpreter meanwhile.
        self._windows = SideBySide(self._window, self._cores)
        # Of the latest paragraphs: a champion and its challenger, which are compared, read the same vectors.
        self._latest: tuple[bytes, Float] = b"", np.zeros((0, weights.width), np.float32)
        # A bias takes up to 5 MB, and a hundredth of the time of the graph to make.
        self._bias = lru_cache(maxsize=8)(lambda tokens: relative_bias(weights, tokens))

    @classmethod
    def read(cls, folder: Path) -> "Encoder":
        """Reads the encoder in a folder; raises `ModelFileError`."""
        from tokenizers import Tokenizer  # noqa: PLC0415 - a server of words never needs it

        weights = read_encoder(folder)
        try:
            return cls(weights, Tokenizer.from_file(str(folder / TOKENIZER_FILE)))
        except Exception as error:  # the tokenizer raises nothing more exact, and a graph of other shapes anything
            raise ModelFileError(f"The encoder in {folder} cannot be read.") from error

    @property
    def width(self) -> int:
        """Length d of a vector."""
        return self.weights.width

    def warm_up(self) -> None:
        """Encodes a window on each core: the runtime makes its kernels at their first use, in half a second."""
        for _ in self._windows.map([list(range(_WARM_UP_TOKENS))] * self._cores):
            pass

    def means(self, texts: Sequence[str]) -> Float:
        """Returns the mean vector of each of n paragraphs, (n, d), not to be changed by the caller."""
        digest = _digest(texts)
        known, means = self._latest
        if digest == known:
            return means
        means = np.zeros((len(texts), self.width), np.float32)
        tokens = [self._tokenize(normalise_with_offsets(text).text).ids for text in while_wanted(texts)]
        for row, hidden in enumerate(self._in_context(tokens)):
            means[row] = _mean(hidden)
        self._latest = digest, means
        return means

    def encode(self, texts: Sequence[str]) -> Iterator[EncodedParagraph]:
        """Yields paragraphs with the vectors of their words, which take too much memory to keep those of an article."""
        normal = [normalise_with_offsets(text) for text in while_wanted(texts)]
        tokens = [self._tokenize(text.text) for text in while_wanted(normal)]
        starts = [np.array([start for start, _ in encoding.offsets], np.int64) for encoding in tokens]
        contexts = self._in_context([encoding.ids for encoding in tokens])
        return map(_encoded, normal, starts, contexts)

    def _tokenize(self, text: str) -> Any:
        # A batch, though of a single text: only a batch lets other threads run, and a long paragraph takes a while.
        return self._tokenizer.encode_batch([text], add_special_tokens=False)[0]

    def _in_context(self, paragraphs: Sequence[Sequence[int]]) -> Iterator[Float]:
        """Yields the vectors in context (T, d) of each paragraph's T tokens."""
        parts = [self._parts(tokens) for tokens in paragraphs]
        vectors = self._windows.map(chain.from_iterable(parts))
        nothing = np.zeros((0, self.width), np.float32)
        for own in parts:
            yield np.concatenate([nothing, *(window[1:-1] for window in islice(vectors, len(own)))])

    def _parts(self, tokens: Sequence[int]) -> list[list[int]]:
        """Returns the windows of equal length in which a paragraph is read; only a long paragraph has several."""
        shape = self.weights.shape
        count = -(-len(tokens) // shape.most_tokens)
        size = -(-len(tokens) // max(1, count))
        return [
            [shape.begin, *tokens[start : start + size], shape.end] for start in range(0, len(tokens), max(1, size))
        ]

    def _window(self, tokens: Sequence[int]) -> Float:
        count = len(tokens)
        vectors = self.weights.words.rows(np.array(tokens, np.int64)) + self.weights.positions[:count]
        return self._graph.run(vectors, self._bias(count))


def _encoded(normal: NormalText, token_starts: NDArray[np.int64], hidden: Float) -> EncodedParagraph:
    """Returns a paragraph by its text, the starts of its tokens (T,) and their vectors in context (T, d)."""
    firsts, spans = _words(normal.text, token_starts)
    begins = np.concatenate([[0], firsts[1:]])[: len(firsts)]
    sums = np.add.reduceat(hidden, begins) if len(begins) else hidden[:0]
    vectors = (sums / np.float32(max(1, len(hidden)))).astype(np.float32)
    starts, ends = normal.original_spans(spans[:, 0], spans[:, 1])
    numbers: dict[str, int] = {}
    words = [numbers.setdefault(normal.text[start:end], len(numbers)) for start, end in spans.tolist()]
    return EncodedParagraph(_mean(hidden), vectors, starts, ends, np.array(words, np.int64))


def _digest(texts: Sequence[str]) -> bytes:
    digest = blake2b(digest_size=16)
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8) + content)
    return digest.digest()


def _mean(hidden: Float) -> Float:
    if not len(hidden):
        return np.zeros(hidden.shape[1], np.float32)
    # In double precision, because rounding adds up over the thousands of tokens of a long paragraph.
    return np.asarray(hidden.mean(axis=0, dtype=np.float64), np.float32)


def _words(text: str, token_starts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the first token of each word that is shown, (m,), and the spans of these words, (m, 2).

    A paragraph of function words and punctuation alone shows whatever it has.
    """
    spans = [match.span() for match in _WORD.finditer(text) if match[0] not in FUNCTION_WORDS]
    spans = spans or [match.span() for match in _ANYTHING.finditer(text)]
    firsts = np.searchsorted(token_starts, np.array([start for start, _ in spans], np.int64))
    # A word of characters that the tokenizer drops has no token: the token is that of the next word.
    shown = np.append(firsts[1:] != firsts[:-1], True)[: len(firsts)] & (firsts < len(token_starts))
    return firsts[shown], np.array(spans, np.int64).reshape(-1, 2)[shown]
