"""The compiled scorer: a fitted linear pipeline as plain arrays, which score and explain texts with numpy alone.

Services score with it because it unpickles nothing and needs no scikit-learn, which would take most of a server's
memory and start-up, and most of the time per paragraph. The pipeline stays the record: a version whose compiled form
scores differently is not registered (see `training.scoring.compilation.agrees`); at a start nothing is compared.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labels.normalise import normalise, normalise_with_offsets
from training.scoring.evidence import FrameExplanation, Terms
from training.scoring.scorer_file import ScorerFile, as_scorer, read_scorer_file, write_scorer_file
from training.scoring.terms import Finder, TermMatches, finder_of

_FORMAT = 1
_BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class _WeightedTerms:
    """The u distinct terms of n paragraphs, grouped by paragraph, and the lengths of the n vectors that they form.

    `begins` (n + 1,): where the terms of each paragraph begin, and where the last paragraph's end. `counts` (u,): how
    often each term occurs; `frequencies` (u,): the term frequency derived from that count.
    """

    begins: NDArray[np.int64]
    columns: NDArray[np.int64]
    counts: NDArray[np.int64]
    frequencies: NDArray[np.float64]
    norms: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CompiledScorer:
    """TF-IDF of words and linear log-odds: t terms, c columns; the first k columns are frames and are explained.

    idf: (t,); coefficients: (t, c) and intercepts: (c,), calibrated.
    """

    vocabulary: dict[str, int] = field(repr=False)
    idf: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    token: re.Pattern[str]
    longest: int
    sublinear: bool
    frames: int
    _finder: Finder = field(init=False, repr=False)
    # (t, c): what a term that occurs once adds to a paragraph with a vector of length 1.
    _added: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_added", self.idf[:, None] * self.coefficients)
        object.__setattr__(self, "_finder", finder_of(self.vocabulary, self.token, self.longest))

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Returns calibrated log-odds (n, c) of paragraphs as submitted."""
        return np.concatenate([self._logits(batch) for batch in _batches(texts)])

    def explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Returns log-odds (n, c) and the explanation of each paragraph and frame."""
        parts = [self._explain(batch) for batch in _batches(texts)]
        logits = np.concatenate([logits for logits, _ in parts])
        return logits, [frames for _, explanations in parts for frames in explanations]

    def _logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        keys = _keys(self._finder.find([normalise(text) for text in texts]))
        keys.sort()
        return self._sums(self._weigh(keys, len(texts)))

    def _explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        normal = [normalise_with_offsets(text) for text in texts]
        matches = self._finder.find([paragraph.text for paragraph in normal])
        keys = _keys(matches)
        # Stable, so that the places of a term stay in the order of the text.
        order = np.argsort(keys, kind="stable")
        weighed = self._weigh(keys[order], len(texts))
        logits = self._sums(weighed)
        scales = weighed.frequencies / np.repeat(weighed.norms, np.diff(weighed.begins))
        added = scales[:, None] * self._added[weighed.columns, : self.frames]
        # Terms by their first places; those of a paragraph stay together.
        firsts = np.cumsum(weighed.counts) - weighed.counts
        by_place = np.argsort(order[firsts])
        added, counts = added[by_place], weighed.counts[by_place]
        places = order[_ranges(firsts[by_place], counts)]
        starts, ends = matches.starts[places], matches.ends[places]
        bounds, intercepts = np.cumsum(matches.lengths).tolist(), self.intercepts[: self.frames].tolist()
        begins = weighed.begins.tolist()
        rows = zip(normal, logits[:, : self.frames].tolist(), [0, *bounds], bounds, begins, begins[1:], strict=False)
        explanations = []
        for paragraph, row, start, end, begin, stop in rows:
            from_, to = paragraph.original_spans(starts[start:end], ends[start:end])
            terms = Terms(from_, to, counts[begin:stop], added[begin:stop])
            explanations.append(
                tuple(
                    FrameExplanation(z, intercept, terms, k)
                    for k, (z, intercept) in enumerate(zip(row, intercepts, strict=True))
                )
            )
        return logits, explanations

    def known_share(self, text: str) -> float:
        """Returns the share of the words of a text that the model knows; 0 for a model of longer terms."""
        words = self.token.findall(normalise(text))
        return sum(word in self.vocabulary for word in words) / len(words) if words and self.longest == 1 else 0.0

    def prepare(self) -> None:
        """Does nothing: the arrays are in memory."""

    def _weigh(self, keys: NDArray[np.int64], texts: int) -> _WeightedTerms:
        """Weighs the terms of paragraphs by their sorted keys."""
        new = np.ones(len(keys) + 1, dtype=np.bool_)
        np.not_equal(keys[1:], keys[:-1], out=new[1:-1])
        firsts = np.flatnonzero(new)
        different, counts = keys[firsts[:-1]], firsts[1:] - firsts[:-1]
        columns = different & _COLUMN
        frequencies = 1 + np.log(counts) if self.sublinear else counts.astype(np.float64)
        begins = np.searchsorted(different, np.arange(texts + 1) << _COLUMN_BITS)
        squares = np.square(frequencies * self.idf[columns])
        norms = np.sqrt(_sums_of(squares, begins))
        return _WeightedTerms(begins, columns, counts, frequencies, norms)

    def _sums(self, weighed: _WeightedTerms) -> NDArray[np.float64]:
        added = self._added.take(weighed.columns, axis=0)
        added *= weighed.frequencies[:, None]
        logits = _sums_of(added, weighed.begins)
        logits /= np.where(weighed.norms > 0, weighed.norms, 1)[:, None]
        return logits + self.intercepts

    def __reduce__(self) -> tuple[Any, ...]:
        return CompiledScorer.from_bytes, (self.to_bytes(),)

    @property
    def columns(self) -> int:
        """Number c of columns."""
        return len(self.intercepts)

    def to_bytes(self) -> bytes:
        """Returns the scorer as an npz file that holds no pickle."""
        facts, arrays = self.content()
        return write_scorer_file(facts, **arrays)

    def content(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
        """Returns the facts and the arrays of the file."""
        facts = {
            "format": _FORMAT,
            "token": self.token.pattern,
            "longest": self.longest,
            "sublinear": self.sublinear,
            "frames": self.frames,
            "terms": sorted(self.vocabulary, key=self.vocabulary.__getitem__),
        }
        return facts, {"idf": self.idf, "coefficients": self.coefficients, "intercepts": self.intercepts}

    @classmethod
    def from_bytes(cls, content: bytes) -> "CompiledScorer":
        """Reads the file that `to_bytes` writes; raises `ModelFileError` for anything else."""
        return cls.from_file(read_scorer_file(content))

    @classmethod
    def from_file(cls, file: ScorerFile) -> "CompiledScorer":
        """Returns the scorer of a file; raises `ModelFileError` where it is not that of a model of words."""
        with as_scorer():
            file.require_format(_FORMAT)
            vocabulary = file.terms("terms")
            intercepts = file.numbers("intercepts", None)
            return cls(
                vocabulary=vocabulary,
                idf=file.numbers("idf", len(vocabulary)),
                coefficients=file.numbers("coefficients", len(vocabulary), len(intercepts)),
                intercepts=intercepts,
                token=re.compile(file.facts["token"]),
                longest=file.count("longest"),
                sublinear=bool(file.facts["sublinear"]),
                frames=file.count("frames", most=len(intercepts)),
            )


_COLUMN_BITS = 32
_COLUMN = (1 << _COLUMN_BITS) - 1


def _keys(matches: TermMatches) -> NDArray[np.int64]:
    """Numbers each match (m,) by its paragraph (high bits) and column (low bits), in the order of the paragraphs."""
    return np.repeat(np.arange(len(matches.lengths)) << _COLUMN_BITS, matches.lengths) | matches.columns


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the numbers from each start (n,) on, as many as its length (n,) says, the ranges in a row."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def _sums_of(values: NDArray[np.float64], begins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums values (u, …) part by part, (n, …); `begins` says where each part begins and the last ends."""
    sums = np.zeros((len(begins) - 1, *values.shape[1:]))
    filled = np.flatnonzero(np.diff(begins))
    if len(filled):
        sums[filled] = np.add.reduceat(values, begins[filled], axis=0)
    return sums


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yields a few texts at a time, so that other threads get their turn; an empty batch where there are no texts."""
    return (texts[start : start + _BATCH] for start in range(0, max(1, len(texts)), _BATCH))


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns scores of the shape of the log-odds, without overflow at either end."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits)))


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the softmax over the last axis, which may be empty."""
    if not logits.shape[-1]:
        return logits
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
