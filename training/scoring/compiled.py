"""The compiled scorer: a fitted linear pipeline as plain arrays, which score and explain with numpy alone.

Nothing is unpickled and scikit-learn is not imported: that is most of a server's memory, start-up and time a paragraph.
The pipeline stays the record: registration refuses a scorer whose scores differ from `predict_proba` (see `agrees`).
"""

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from labels.normalise import normalise, normalise_with_offsets
from training.errors import ModelFileError
from training.scoring.terms import Finder, Found, finder_of

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

TOLERANCE = 1e-9
_FORMAT = 1
_AT_ONCE = 64


class Evidence(NamedTuple):
    """Words at `text[start:end]` of the scored paragraph and the log-odds that they add to a frame."""

    start: int
    end: int
    weight: float


@dataclass(frozen=True, eq=False)
class Terms:
    """The m known terms of a paragraph: their spans, and what they add to k frames: `weights` (m, k)."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    weights: NDArray[np.float64]

    def of_frame(self, frame: int) -> tuple[Evidence, ...]:
        """All terms in their order."""
        return tuple(map(Evidence, self.starts.tolist(), self.ends.tolist(), self.weights[:, frame].tolist()))

    def strongest(self, count: int) -> list[list[tuple[int, int, float]]]:
        """For each frame start, end and weight of its `count` weightiest terms, the weightiest first.

        Of equal weights the first comes first.
        """
        size = len(self.starts)
        # The bits of floats above 0 are in the order of the floats; the lowest make room for the place of each.
        place_bits = (1 << size.bit_length()) - 1
        keys = np.abs(np.ascontiguousarray(self.weights.T)).view(np.int64) | place_bits
        keys -= np.arange(size)
        keys.sort(axis=1)
        places = place_bits - (keys[:, : -count - 1 : -1] & place_bits)
        weights = self.weights[places, np.arange(len(places))[:, None]]
        rows = zip(self.starts[places].tolist(), self.ends[places].tolist(), weights.tolist(), strict=True)
        return [list(zip(starts, ends, row, strict=True)) for starts, ends, row in rows]


@dataclass(frozen=True, slots=True, eq=False)
class FrameExplanation:
    """Why a paragraph scored as it did for frame number `frame`: intercept + all evidence weights = logit."""

    logit: float
    intercept: float
    terms: Terms
    frame: int

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All words, for and against, as they stand in the text."""
        return self.terms.of_frame(self.frame)


class Scorer(Protocol):
    """What a model scores with."""

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated log-odds (n, c) of paragraphs as they were submitted: k frames first, then their stances."""

    def explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Log-odds (n, c) and the explanation of each paragraph and frame."""

    def known_share(self, text: str) -> float:
        """Which share of the words of a text the model knows; 0 where that cannot be told."""


@dataclass(frozen=True, slots=True, eq=False)
class _Weighted:
    """The u different terms of n paragraphs, by paragraph, and the length of the n vectors that they make.

    `begins` (n + 1,): where the terms of each paragraph begin, and where the last one's end. `counts` (u,): how often
    each occurs; `frequencies` (u,): what that counts for.
    """

    begins: NDArray[np.int64]
    columns: NDArray[np.int64]
    counts: NDArray[np.int64]
    frequencies: NDArray[np.float64]
    norms: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CompiledScorer:
    """TF-IDF of words and linear log-odds: t terms, c columns, of which the first k are frames and are explained.

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
    _added: NDArray[np.float64] = field(init=False, repr=False)
    """(t, c): what a term that occurs once adds to a paragraph whose vector is one long."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_added", self.idf[:, None] * self.coefficients)
        object.__setattr__(self, "_finder", finder_of(self.vocabulary, self.token, self.longest))

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated log-odds (n, c) of paragraphs as they were submitted."""
        return np.concatenate([self._logits(piece) for piece in _pieces(texts)])

    def explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Log-odds (n, c) and the explanation of each paragraph and frame."""
        found = [self._explain(piece) for piece in _pieces(texts)]
        return np.concatenate([logits for logits, _ in found]), [one for _, several in found for one in several]

    def _logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        keys = _keys(self._finder.find([normalise(text) for text in texts]))
        keys.sort()
        return self._sums(self._weigh(keys, len(texts)))

    def _explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        normal = [normalise_with_offsets(text) for text in texts]
        found = self._finder.find([one.text for one in normal])
        keys = _keys(found)
        order = np.argsort(keys)
        weighed = self._weigh(keys[order], len(texts))
        logits = self._sums(weighed)
        # A term that occurs n times adds its weight once: each place carries an n-th.
        shares = np.empty(len(keys))
        norms = np.repeat(weighed.norms, np.diff(weighed.begins))
        shares[order] = np.repeat(weighed.frequencies / (norms * weighed.counts), weighed.counts)
        added = shares[:, None] * self._added[found.columns, : self.frames]
        ends, intercepts = np.cumsum(found.lengths).tolist(), self.intercepts[: self.frames].tolist()
        explanations = []
        for one, row, start, end in zip(normal, logits[:, : self.frames].tolist(), [0, *ends], ends, strict=False):
            spans = one.original_spans(found.starts[start:end], found.ends[start:end])
            terms = Terms(*spans, added[start:end])
            explanations.append(
                tuple(
                    FrameExplanation(z, intercept, terms, k)
                    for k, (z, intercept) in enumerate(zip(row, intercepts, strict=True))
                )
            )
        return logits, explanations

    def known_share(self, text: str) -> float:
        """Which share of the words of a text the model knows; 0 for a model of longer terms."""
        words = self.token.findall(normalise(text))
        return sum(word in self.vocabulary for word in words) / len(words) if words and self.longest == 1 else 0.0

    def _weigh(self, keys: NDArray[np.int64], texts: int) -> _Weighted:
        """The terms of paragraphs, given their sorted keys."""
        new = np.ones(len(keys) + 1, dtype=np.bool_)
        np.not_equal(keys[1:], keys[:-1], out=new[1:-1])
        firsts = np.flatnonzero(new)
        different, counts = keys[firsts[:-1]], firsts[1:] - firsts[:-1]
        columns = different & _COLUMN
        frequencies = 1 + np.log(counts) if self.sublinear else counts.astype(np.float64)
        begins = np.searchsorted(different, np.arange(texts + 1) << _COLUMN_BITS)
        squares = np.square(frequencies * self.idf[columns])
        norms = np.sqrt(_sums_of(squares, begins))
        return _Weighted(begins, columns, counts, frequencies, norms)

    def _sums(self, weighed: _Weighted) -> NDArray[np.float64]:
        added = self._added.take(weighed.columns, axis=0)
        added *= weighed.frequencies[:, None]
        logits = _sums_of(added, weighed.begins)
        logits /= np.where(weighed.norms > 0, weighed.norms, 1)[:, None]
        return logits + self.intercepts

    def __reduce__(self) -> tuple[Any, ...]:
        return CompiledScorer.from_bytes, (self.to_bytes(),)

    def to_bytes(self) -> bytes:
        """The scorer as an npz file, which holds no pickle."""
        facts = {
            "format": _FORMAT,
            "token": self.token.pattern,
            "longest": self.longest,
            "sublinear": self.sublinear,
            "frames": self.frames,
            "terms": sorted(self.vocabulary, key=self.vocabulary.__getitem__),
        }
        out = io.BytesIO()
        np.savez_compressed(
            out,
            facts=np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8),
            idf=self.idf,
            coefficients=self.coefficients,
            intercepts=self.intercepts,
        )
        return out.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "CompiledScorer":
        """Reads `to_bytes`; raises `ModelFileError` for anything else."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                facts: dict[str, Any] = json.loads(arrays["facts"].tobytes())
                if facts["format"] != _FORMAT:
                    raise ModelFileError("The compiled model has another format than this version reads.")
                return cls(
                    vocabulary={term: place for place, term in enumerate(facts["terms"])},
                    idf=arrays["idf"],
                    coefficients=arrays["coefficients"],
                    intercepts=arrays["intercepts"],
                    token=re.compile(facts["token"]),
                    longest=facts["longest"],
                    sublinear=facts["sublinear"],
                    frames=facts["frames"],
                )
        except ModelFileError:
            raise
        except Exception as error:  # whatever reading a file of another kind may raise
            raise ModelFileError("The compiled model cannot be read.") from error


_COLUMN_BITS = 32
_COLUMN = (1 << _COLUMN_BITS) - 1


def _keys(found: Found) -> NDArray[np.int64]:
    """A number for the paragraph and term of each term found, (m,), in the order of the paragraphs."""
    return np.repeat(np.arange(len(found.lengths)) << _COLUMN_BITS, found.lengths) | found.columns


def _sums_of(values: NDArray[np.float64], begins: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sums of the values (u, …) of n parts, (n, …), given where each begins and the last one ends; 0 of none."""
    sums = np.zeros((len(begins) - 1, *values.shape[1:]))
    some = np.flatnonzero(np.diff(begins))
    if len(some):
        sums[some] = np.add.reduceat(values, begins[some], axis=0)
    return sums


def _pieces(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """A few texts at a time, so that other threads get their turn; one piece of nothing where there are none."""
    return (texts[start : start + _AT_ONCE] for start in range(0, max(1, len(texts)), _AT_ONCE))


class PipelineScorer:
    """A pipeline that cannot be compiled, such as a user's own: scored by scikit-learn, without evidence."""

    def __init__(self, pipeline: "Pipeline", frames: int) -> None:
        self._pipeline, self._frames = pipeline, frames

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Log-odds (n, c) of what `predict_proba` answers."""
        scores = np.clip(self._pipeline.predict_proba([normalise(text) for text in texts]), 1e-15, 1 - 1e-15)
        return np.asarray(np.log(scores) - np.log1p(-scores), dtype=np.float64)

    def explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Log-odds (n, c), those of the frames unexplained."""
        logits = self.logits(texts)
        none = np.zeros(0, dtype=np.int64)
        nothing = Terms(none, none, np.zeros((0, self._frames)))
        return logits, [
            tuple(FrameExplanation(z, z, nothing, k) for k, z in enumerate(row))
            for row in logits[:, : self._frames].tolist()
        ]

    def known_share(self, _text: str) -> float:
        """Not known of a pipeline of any kind."""
        return 0.0


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores of log-odds, without overflow at either end."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits)))


def compile_pipeline(pipeline: "Pipeline", frames: int) -> CompiledScorer | None:
    """The compiled form of a fitted pipeline of so many frames; None where it is of a kind that has none."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - servers never compile
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.multiclass import OneVsRestClassifier  # noqa: PLC0415

    steps = list(pipeline.named_steps.values())
    if [type(step) for step in steps] != [TfidfVectorizer, OneVsRestClassifier]:
        return None
    features, columns = steps
    if not _plain_words(features) or {type(e) for e in columns.estimators_} != {LogisticRegression}:
        return None
    return CompiledScorer(
        vocabulary={term: int(place) for term, place in features.vocabulary_.items()},
        idf=np.asarray(features.idf_, dtype=np.float64),
        coefficients=np.ascontiguousarray(np.vstack([e.coef_ for e in columns.estimators_]).T, dtype=np.float64),
        intercepts=np.concatenate([e.intercept_ for e in columns.estimators_]).astype(np.float64),
        token=re.compile(features.token_pattern),
        longest=features.ngram_range[1],
        sublinear=features.sublinear_tf,
        frames=frames,
    )


def _plain_words(features: Any) -> bool:
    """Whether the vectoriser does what the compiled scorer does, and nothing else."""
    expected = {
        "analyzer": "word",
        "binary": False,
        "lowercase": True,
        "norm": "l2",
        "preprocessor": None,
        "stop_words": None,
        "strip_accents": None,
        "tokenizer": None,
        "use_idf": True,
    }
    found = features.get_params()
    return features.ngram_range[0] == 1 and all(found[name] == value for name, value in expected.items())


def scorer_of(pipeline: "Pipeline", frames: int) -> Scorer:
    """The compiled scorer of a pipeline of so many frames where there is one, else the pipeline itself."""
    return compile_pipeline(pipeline, frames) or PipelineScorer(pipeline, frames)


def agrees(scorer: CompiledScorer, pipeline: "Pipeline") -> bool:
    """Whether both score alike on texts made of the model's own terms and on odd ones."""
    terms = sorted(scorer.vocabulary)
    generator = np.random.default_rng(0)
    texts = (
        [" ".join(generator.choice(terms, size)) for size in (1, 2, 5, 20, 80, 300) for _ in range(20)] if terms else []
    )
    texts += ["", "a", "İstanbul ﬁre Σίσυφος", "x" * 5000, f"{' '.join(terms[:50])} " * 40, "\u200b\ud800\0 1\u0301"]
    expected = pipeline.predict_proba([normalise(text) for text in texts])
    return bool(np.abs(sigmoid(scorer.logits(texts)) - expected).max() <= TOLERANCE)
