"""The compiled scorer: a fitted linear pipeline as plain arrays, which score and explain with numpy alone.

Nothing is unpickled and scikit-learn is not imported: that is most of a server's memory, start-up and time a paragraph.
The pipeline stays the record: registration refuses a scorer whose scores differ from `predict_proba` (see `agrees`).
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from labels.normalise import normalise, normalise_with_offsets
from training.errors import ModelFileError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

TOLERANCE = 1e-9
_FORMAT = 1
_LONGEST_CHUNK, _MOST_CHUNKS = 40, 50_000
_CHUNK = re.compile(r"\S+")


class Evidence(NamedTuple):
    """Words at `text[start:end]` of the scored paragraph and the log-odds that they add to a frame."""

    start: int
    end: int
    weight: float


@dataclass(frozen=True, eq=False)
class Terms:
    """The known terms of a paragraph: what they add to k frames, `weights` (m, k), and where they stand.

    Places are sought when first asked for, as only a few of them are ever shown.
    """

    text: str
    weights: NDArray[np.float64]
    find: Callable[[str], Sequence[tuple[int, int]]]
    """Spans of the known terms of a normal text, in the order of their weights."""

    @cached_property
    def spans(self) -> Sequence[tuple[int, int]]:
        """(m,) spans of `text`."""
        normal = normalise_with_offsets(self.text)
        found = self.find(normal.text)
        return found if normal.offsets is None else [normal.original_span(start, end) for start, end in found]

    @cached_property
    def ranks(self) -> NDArray[np.int64]:
        """(m, k): for each frame the terms by the size of their weight, the weightiest first."""
        return np.argsort(-np.abs(self.weights), axis=0, kind="stable")


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
        weights = self.terms.weights[:, self.frame].tolist()
        return tuple(Evidence(start, end, w) for (start, end), w in zip(self.terms.spans, weights, strict=True))

    def strongest(self, count: int) -> tuple[Evidence, ...]:
        """The `count` weightiest words, for and against, the weightiest first."""
        places = self.terms.ranks[:count, self.frame]
        weights, spans = self.terms.weights[places, self.frame].tolist(), self.terms.spans
        return tuple(
            [Evidence(spans[place][0], spans[place][1], w) for place, w in zip(places.tolist(), weights, strict=True)]
        )


class Scorer(Protocol):
    """What a model scores with."""

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated log-odds (n, k) of paragraphs as they were submitted."""

    def explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Log-odds (n, k) and the explanation of each paragraph and frame."""


@dataclass(frozen=True, slots=True, eq=False)
class _Weighted:
    """The terms of n paragraphs: one entry an occurrence (m,), and one a paragraph and term (u,), by paragraph."""

    lengths: NDArray[np.int64]
    terms: NDArray[np.int64]
    inverse: NDArray[np.int64]
    counts: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    weights: NDArray[np.float64]


_Found = TypeVar("_Found")


class _Chunks(dict[str, tuple[_Found, ...]]):
    """What is found in each run of characters between white space, worked out when first met; bounded.

    Exact, because no word crosses white space; most runs of a text were met before.
    """

    def __init__(self, find: Callable[[str], Iterable[_Found]]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, chunk: str) -> tuple[_Found, ...]:
        found = tuple(self._find(chunk))
        if len(chunk) <= _LONGEST_CHUNK and len(self) < _MOST_CHUNKS:
            self[chunk] = found
        return found


@dataclass(frozen=True, slots=True, eq=False)
class CompiledScorer:
    """TF-IDF of words and a logistic regression a frame: t terms, k frames.

    idf: (t,); coefficients: (t, k) and intercepts: (k,), calibrated.
    """

    vocabulary: dict[str, int]
    idf: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    token: re.Pattern[str]
    longest: int
    sublinear: bool
    _chunks: _Chunks[int] = field(init=False, repr=False)
    _places: _Chunks[tuple[int, int]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_chunks", _Chunks(self._columns_of))
        object.__setattr__(self, "_places", _Chunks(self._spans_of))

    def _columns_of(self, chunk: str) -> Iterator[int]:
        return (column for column in map(self.vocabulary.get, self.token.findall(chunk)) if column is not None)

    def _spans_of(self, chunk: str) -> Iterator[tuple[int, int]]:
        return (match.span() for match in self.token.finditer(chunk) if match.group() in self.vocabulary)

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated log-odds (n, k) of paragraphs as they were submitted."""
        return self._sums(self._weigh([self._columns(normalise(text)) for text in texts]))

    def explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Log-odds (n, k) and the explanation of each paragraph and frame."""
        weighted = self._weigh([self._columns(normalise(text)) for text in texts])
        logits = self._sums(weighted)
        # A term that occurs n times adds its weight once: each place carries an n-th.
        shares = (weighted.weights / weighted.counts)[weighted.inverse][:, None] * self.coefficients[weighted.terms]
        ends, intercepts = np.cumsum(weighted.lengths).tolist(), self.intercepts.tolist()
        explanations = []
        for text, row, start, end in zip(texts, logits.tolist(), [0, *ends], ends, strict=False):
            terms = Terms(text, shares[start:end], self._spans)
            explanations.append(
                tuple(
                    FrameExplanation(z, intercept, terms, k)
                    for k, (z, intercept) in enumerate(zip(row, intercepts, strict=True))
                )
            )
        return logits, explanations

    def _columns(self, text: str) -> list[int]:
        """The columns of the known terms of a normal text: single words first, then pairs, each in their order."""
        if self.longest == 1:
            return list(chain.from_iterable(map(self._chunks.__getitem__, text.split())))
        words = self.token.findall(text)
        return [column for _, column in self._known(words)]

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """The spans of the known terms of a normal text, in the order of `_columns`."""
        if self.longest == 1:
            chunks, places = text.split(), self._places
            if " ".join(chunks) == text:
                starts: Iterable[int] = accumulate(map((1).__add__, map(len, chunks)), initial=0)
            else:
                starts = (match.start() for match in _CHUNK.finditer(text))
            return [
                (o + start, o + end) for chunk, o in zip(chunks, starts, strict=False) for start, end in places[chunk]
            ]
        matches = list(self.token.finditer(text))
        known = self._known([match.group() for match in matches])
        return [(matches[first].start(), matches[last].end()) for (first, last), _ in known]

    def _known(self, words: Sequence[str]) -> Iterator[tuple[tuple[int, int], int]]:
        """First and last word, and column, of every known term."""
        get = self.vocabulary.get
        for length in range(1, self.longest + 1):
            for first in range(len(words) - length + 1):
                column = get(words[first] if length == 1 else " ".join(words[first : first + length]))
                if column is not None:
                    yield (first, first + length - 1), column

    def _weigh(self, found: Sequence[list[int]]) -> _Weighted:
        """The TF-IDF weights of n paragraphs, given the columns of their terms."""
        lengths = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
        terms = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=int(lengths.sum()))
        keys = np.repeat(np.arange(len(found)), lengths) * len(self.idf) + terms
        unique, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        rows, columns = np.divmod(unique, len(self.idf))
        frequency = 1 + np.log(counts) if self.sublinear else counts.astype(np.float64)
        weights = frequency * self.idf[columns]
        norms = np.sqrt(np.bincount(rows, weights=weights * weights, minlength=len(found)))
        return _Weighted(lengths, terms, inverse, counts, rows, columns, weights / norms[rows])

    def _sums(self, weighted: _Weighted) -> NDArray[np.float64]:
        logits = np.tile(self.intercepts, (len(weighted.lengths), 1))
        if len(weighted.rows):
            starts = np.flatnonzero(np.diff(weighted.rows, prepend=-1))
            added = np.add.reduceat(weighted.weights[:, None] * self.coefficients[weighted.columns], starts, axis=0)
            logits[weighted.rows[starts]] += added
        return logits

    def __reduce__(self) -> tuple[Any, ...]:
        return CompiledScorer.from_bytes, (self.to_bytes(),)

    def to_bytes(self) -> bytes:
        """The scorer as an npz file, which holds no pickle."""
        facts = {
            "format": _FORMAT,
            "token": self.token.pattern,
            "longest": self.longest,
            "sublinear": self.sublinear,
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
                )
        except ModelFileError:
            raise
        except Exception as error:  # whatever reading a file of another kind may raise
            raise ModelFileError("The compiled model cannot be read.") from error


class PipelineScorer:
    """A pipeline that cannot be compiled, such as a user's own: scored by scikit-learn, without evidence."""

    def __init__(self, pipeline: "Pipeline") -> None:
        self._pipeline = pipeline

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Log-odds (n, k) of what `predict_proba` answers."""
        scores = np.clip(self._pipeline.predict_proba([normalise(text) for text in texts]), 1e-15, 1 - 1e-15)
        return np.asarray(np.log(scores) - np.log1p(-scores), dtype=np.float64)

    def explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Log-odds (n, k), all of them unexplained."""
        logits = self.logits(texts)
        nothing = Terms("", np.zeros((0, logits.shape[1])), lambda _text: ())
        return logits, [
            tuple(FrameExplanation(float(z), float(z), nothing, k) for k, z in enumerate(row)) for row in logits
        ]


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores of log-odds, without overflow at either end."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits)))


def compile_pipeline(pipeline: "Pipeline") -> CompiledScorer | None:
    """The compiled form of a fitted pipeline; None where it is of a kind that has none."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - servers never compile
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.multiclass import OneVsRestClassifier  # noqa: PLC0415

    steps = list(pipeline.named_steps.values())
    if [type(step) for step in steps] != [TfidfVectorizer, OneVsRestClassifier]:
        return None
    features, frames = steps
    if not _plain_words(features) or {type(e) for e in frames.estimators_} != {LogisticRegression}:
        return None
    return CompiledScorer(
        vocabulary={term: int(place) for term, place in features.vocabulary_.items()},
        idf=np.asarray(features.idf_, dtype=np.float64),
        coefficients=np.ascontiguousarray(np.vstack([e.coef_ for e in frames.estimators_]).T, dtype=np.float64),
        intercepts=np.concatenate([e.intercept_ for e in frames.estimators_]).astype(np.float64),
        token=re.compile(features.token_pattern),
        longest=features.ngram_range[1],
        sublinear=features.sublinear_tf,
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


def scorer_of(pipeline: "Pipeline") -> Scorer:
    """The compiled scorer of a pipeline where there is one, else the pipeline itself."""
    return compile_pipeline(pipeline) or PipelineScorer(pipeline)


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
