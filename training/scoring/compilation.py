"""From a fitted pipeline to a scorer, compiled where that is possible, and from a compiled scorer to a pipeline."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from labels.normalise import normalise
from training.scoring.character_runs import KIND as RUNS
from training.scoring.character_runs import RunsScorer
from training.scoring.compiled import CompiledScorer, sigmoid
from training.scoring.encoder_scorer import KIND as ENCODER
from training.scoring.encoder_scorer import EncoderScorer
from training.scoring.evidence import FrameExplanation, without_evidence
from training.scoring.scorer_file import read_scorer_file

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# Largest difference between a compiled score and that of `predict_proba`.
TOLERANCE = 1e-9
# Parameters of a vectoriser of which the compiled scorers know a single value only, apart from the analyser.
_PLAIN = {
    "binary": False,
    "lowercase": True,
    "norm": "l2",
    "preprocessor": None,
    "stop_words": None,
    "strip_accents": None,
    "tokenizer": None,
    "use_idf": True,
}

# The scorers that are plain arrays.
Compiled: TypeAlias = CompiledScorer | EncoderScorer | RunsScorer


class Scorer(Protocol):
    """What a model scores with."""

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Returns calibrated log-odds (n, c) of paragraphs as submitted: k frames first, then their stances."""

    def explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Returns log-odds (n, c) and the explanation of each paragraph and frame."""

    def known_share(self, text: str) -> float:
        """Returns the share of the words of a text that the model knows; 0 where that is unknown."""

    def prepare(self) -> None:
        """Loads what scoring needs, which the first paragraph would else wait for; raises `ModelFileError`."""


class Probabilities(Protocol):
    """What a `PipelineScorer` asks for scores: a pipeline in memory, or a process that unpickled it."""

    def predict_proba(self, texts: list[str]) -> NDArray[np.float64]:
        """Returns the scores (n, c) of normal texts."""


class PipelineScorer:
    """A pipeline that cannot be compiled, for example a user's: scikit-learn scores it, without evidence."""

    def __init__(self, pipeline: Probabilities, frames: int) -> None:
        self._pipeline, self._frames = pipeline, frames

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Returns log-odds (n, c) of the scores that `predict_proba` returns."""
        scores = np.clip(self._pipeline.predict_proba([normalise(text) for text in texts]), 1e-15, 1 - 1e-15)
        return np.asarray(np.log(scores) - np.log1p(-scores), dtype=np.float64)

    def explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Returns log-odds (n, c) and explanations without evidence."""
        logits = self.logits(texts)
        return logits, without_evidence(logits, self._frames)

    def known_share(self, _text: str) -> float:
        """Returns 0: the vocabulary of an arbitrary pipeline is unknown."""
        return 0.0

    def prepare(self) -> None:
        """Scores a paragraph, so that what cannot score is not promoted."""
        self.logits(["."])


def scorer_of(pipeline: "Pipeline", frames: int, encoder: str = "") -> Scorer:
    """Returns the compiled scorer of a pipeline with `frames` frames where it can be compiled, else the pipeline."""
    return compile_pipeline(pipeline, frames, encoder) or PipelineScorer(pipeline, frames)


def compile_pipeline(pipeline: "Pipeline", frames: int, encoder: str = "") -> Compiled | None:
    """Returns the compiled form of a fitted pipeline with `frames` frames; None where it cannot be compiled.

    `encoder` is the digest of the encoder whose vectors the pipeline reads; empty for a pipeline that reads texts.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - servers never compile
    from sklearn.multiclass import OneVsRestClassifier  # noqa: PLC0415

    steps = list(pipeline.named_steps.values())
    if encoder:
        return _heads(steps, frames, encoder)
    if len(steps) != 2 or type(steps[1]) is not OneVsRestClassifier:
        return None
    vectorisers, columns = _vectorisers(steps[0]), steps[1]
    if not vectorisers or {type(e) for e in columns.estimators_} != {LogisticRegression}:
        return None
    coefficients, intercepts = linear_columns(columns)
    features, *of_runs = vectorisers
    terms = len(features.vocabulary_)
    words = CompiledScorer(
        vocabulary={term: int(place) for term, place in features.vocabulary_.items()},
        idf=np.asarray(features.idf_, dtype=np.float64),
        coefficients=np.ascontiguousarray(coefficients[:terms]),
        intercepts=intercepts,
        token=re.compile(features.token_pattern),
        longest=features.ngram_range[1],
        sublinear=features.sublinear_tf,
        frames=frames,
    )
    return _with_runs(words, of_runs[0], coefficients[terms:]) if of_runs else words


def _with_runs(words: CompiledScorer, runs: Any, coefficients: NDArray[np.float64]) -> RunsScorer:
    shortest, longest = runs.ngram_range
    return RunsScorer(
        words=words,
        runs={run: int(place) for run, place in runs.vocabulary_.items()},
        idf=np.asarray(runs.idf_, dtype=np.float64),
        coefficients=np.ascontiguousarray(coefficients),
        shortest=shortest,
        longest=longest,
        sublinear=runs.sublinear_tf,
    )


def _heads(steps: list[Any], frames: int, encoder: str) -> EncoderScorer:
    """Returns the scorer of a pipeline whose only step is a classifier of vectors with linear columns."""
    (columns,) = steps
    coefficients, intercepts = linear_columns(columns)
    return EncoderScorer(encoder=encoder, coefficients=coefficients, intercepts=intercepts, frames=frames)


def linear_columns(classifier: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns coefficients (d, c) and intercepts (c,) of a classifier of c regressions."""
    return (
        np.ascontiguousarray(np.vstack([e.coef_ for e in classifier.estimators_]).T, dtype=np.float64),
        np.concatenate([e.intercept_ for e in classifier.estimators_]).astype(np.float64),
    )


def _vectorisers(features: Any) -> list[Any]:
    """Returns the vectoriser of words, and that of runs of characters, if any; none of another kind."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - servers never compile
    from sklearn.pipeline import FeatureUnion  # noqa: PLC0415

    parts = [features]
    if type(features) is FeatureUnion:
        parts = [part for _, part in features.transformer_list] if features.transformer_weights is None else []
    wanted: list[dict[str, Any]] = [{"analyzer": "word", **_PLAIN}, {"analyzer": "char_wb", **_PLAIN}]
    plain = len(parts) in (1, 2) and all(
        type(part) is TfidfVectorizer and part.get_params().items() >= parameters.items()
        for part, parameters in zip(parts, wanted, strict=False)
    )
    return parts if plain and parts[0].ngram_range[0] == 1 else []


def read_scorer(content: bytes) -> Compiled:
    """Reads a compiled scorer of any kind; raises `ModelFileError`."""
    file = read_scorer_file(content)
    if file.kind == ENCODER:
        return EncoderScorer.from_file(file)
    return RunsScorer.from_file(file) if file.kind == RUNS else CompiledScorer.from_file(file)


def pipeline_of(scorer: Compiled) -> "Pipeline":
    """Returns a pipeline that scores as a compiled scorer does, made of its arrays: nothing is unpickled for it."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - servers never export
    from sklearn.pipeline import FeatureUnion, Pipeline  # noqa: PLC0415

    from training.pipeline import linear_pipeline  # noqa: PLC0415

    def vectoriser(vocabulary: dict[str, int], idf: NDArray[np.float64], **parameters: Any) -> TfidfVectorizer:
        made = TfidfVectorizer(**parameters)
        made.vocabulary_, made.idf_ = dict(vocabulary), idf
        return made

    if isinstance(scorer, EncoderScorer):
        return linear_pipeline(scorer.coefficients, scorer.intercepts, 0)
    words = scorer.words if isinstance(scorer, RunsScorer) else scorer
    coefficients = words.coefficients
    features: Any = vectoriser(
        words.vocabulary,
        words.idf,
        token_pattern=words.token.pattern,
        ngram_range=(1, words.longest),
        sublinear_tf=words.sublinear,
    )
    if isinstance(scorer, RunsScorer):
        sizes = (scorer.shortest, scorer.longest)
        runs = vectoriser(scorer.runs, scorer.idf, analyzer="char_wb", ngram_range=sizes, sublinear_tf=scorer.sublinear)
        features = FeatureUnion([("words", features), ("characters", runs)])
        coefficients = np.vstack([coefficients, scorer.coefficients])
    return Pipeline([("features", features), *linear_pipeline(coefficients, words.intercepts, 0).steps])


def agrees(scorer: Compiled, pipeline: "Pipeline") -> bool:
    """Whether both score alike, up to `TOLERANCE`, on texts of the model's terms and odd texts, or on vectors."""
    if isinstance(scorer, EncoderScorer):
        vectors = np.random.default_rng(0).normal(size=(100, len(scorer.coefficients)))
        computed, expected = sigmoid(scorer.of_vectors(vectors)), pipeline.predict_proba(vectors)
        return bool(np.abs(computed - expected).max() <= TOLERANCE)
    terms = sorted(scorer.words.vocabulary if isinstance(scorer, RunsScorer) else scorer.vocabulary)
    generator = np.random.default_rng(0)
    texts = (
        [" ".join(generator.choice(terms, size)) for size in (1, 2, 5, 20, 80, 300) for _ in range(20)] if terms else []
    )
    texts += ["", "a", "İstanbul ﬁre Σίσυφος", "x" * 5000, f"{' '.join(terms[:50])} " * 40, "\u200b\ud800\0 1\u0301"]
    expected = pipeline.predict_proba([normalise(text) for text in texts])
    return bool(np.abs(sigmoid(scorer.logits(texts)) - expected).max() <= TOLERANCE)
