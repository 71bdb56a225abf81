"""`Encoder`: from paragraphs to the vectors of their words in context, and to their mean."""

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from labels.normalise import normalise_with_offsets
from training.encoder.files import TOKENIZER_FILE, EncoderWeights, read_encoder
from training.encoder.function_words import FUNCTION_WORDS
from training.encoder.graph import CompiledEncoder, Float, relative_bias
from training.encoder.runtime import available_cores
from training.errors import ModelFileError

_T = TypeVar("_T")

# Words as readers see them, with their apostrophes and hyphens; numbers are not shown as evidence.
_WORD = re.compile(r"\w*[^\W\d]\w*(?:['-]\w+)*")
_ANYTHING = re.compile(r"\S+")


@dataclass(frozen=True, eq=False)
class EncodedParagraph:
    """The vectors of a paragraph's m words and the mean over its tokens.

    vectors: (m, d), for each word the sum over its tokens divided by the number of tokens of the paragraph, so that
    they add up to `mean`, (d,); punctuation, numbers and function words (the, of …) count with the word before them,
    at the beginning with the first word. starts, ends: (m,), spans of the words in the paragraph as submitted.
    """

    mean: Float
    vectors: Float
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


class Encoder:
    """Encodes paragraphs, each by its own text only. May be used by several threads."""

    def __init__(self, weights: EncoderWeights, tokenizer: Any) -> None:
        self._graph = CompiledEncoder(weights)
        # The graph has the layers now; here they would only take memory.
        self.weights = weights = replace(weights, layers=())
        self._tokenizer = tokenizer
        cores = available_cores()
        # Paragraphs of an article are encoded on all cores; OpenVINO lets go of the interpreter meanwhile.
        self._threads = ThreadPoolExecutor(cores, "encoder") if cores > 1 else None
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

    def means(self, texts: Sequence[str]) -> Float:
        """Returns the mean vector of each of n paragraphs, (n, d), not to be changed by the caller."""
        digest = _digest(texts)
        known, means = self._latest
        if digest == known:
            return means
        means = np.zeros((len(texts), self.width), np.float32)
        for row, mean in enumerate(self._side_by_side(self._mean_of, texts)):
            means[row] = mean
        self._latest = digest, means
        return means

    def encode(self, texts: Sequence[str]) -> list[EncodedParagraph]:
        """Returns n paragraphs with the vectors of their words."""
        return list(self._side_by_side(self._encode, texts))

    def _side_by_side(self, do: Callable[[str], _T], texts: Sequence[str]) -> Iterable[_T]:
        return self._threads.map(do, texts) if len(texts) > 1 and self._threads else map(do, texts)

    def _mean_of(self, text: str) -> Float:
        return _mean(self._in_context(self._tokenize(normalise_with_offsets(text).text).ids))

    def _encode(self, text: str) -> EncodedParagraph:
        normal = normalise_with_offsets(text)
        tokens = self._tokenize(normal.text)
        hidden = self._in_context(tokens.ids)
        token_starts = np.array([start for start, _ in tokens.offsets], np.int64)
        firsts, spans = _words(normal.text, token_starts)
        begins = np.concatenate([[0], firsts[1:]])[: len(firsts)]
        sums = np.add.reduceat(hidden, begins) if len(begins) else hidden[:0]
        vectors = (sums / np.float32(max(1, len(hidden)))).astype(np.float32)
        starts, ends = normal.original_spans(spans[:, 0], spans[:, 1])
        return EncodedParagraph(_mean(hidden), vectors, starts, ends)

    def _tokenize(self, text: str) -> Any:
        return self._tokenizer.encode(text, add_special_tokens=False)

    def _in_context(self, tokens: Sequence[int]) -> Float:
        """Returns the vectors in context of a paragraph's tokens, (T, d); long paragraphs are read in equal windows."""
        shape = self.weights.shape
        windows = -(-len(tokens) // shape.most_tokens)
        if not windows:
            return np.zeros((0, self.width), np.float32)
        size = -(-len(tokens) // windows)
        parts = [tokens[start : start + size] for start in range(0, len(tokens), size)]
        return np.concatenate([self._window([shape.begin, *part, shape.end])[1:-1] for part in parts])

    def _window(self, tokens: Sequence[int]) -> Float:
        count = len(tokens)
        vectors = self.weights.words.rows(np.array(tokens, np.int64)) + self.weights.positions[:count]
        return self._graph.run(vectors, self._bias(count))


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
