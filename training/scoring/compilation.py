"""From a fitted pipeline to a scorer: compiled where that is possible, else the pipeline itself."""

import io
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from labels.normalise import normalise
from training.errors import ModelFileError
from training.scoring.compiled import CompiledScorer, sigmoid
from training.scoring.encoder_scorer import KIND, EncoderScorer
from training.scoring.evidence import FrameExplanation, Terms

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# Largest difference between a compiled score and that of `predict_proba`.
TOLERANCE = 1e-9


# The scorers that are plain arrays.
Compiled: TypeAlias = CompiledScorer | EncoderScorer


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


class PipelineScorer:
    """A pipeline that cannot be compiled, for example a user's: scikit-learn scores it, without evidence."""

    def __init__(self, pipeline: "Pipeline", frames: int) -> None:
        self._pipeline, self._frames = pipeline, frames

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Returns log-odds (n, c) of the scores that `predict_proba` returns."""
        scores = np.clip(self._pipeline.predict_proba([normalise(text) for text in texts]), 1e-15, 1 - 1e-15)
        return np.asarray(np.log(scores) - np.log1p(-scores), dtype=np.float64)

    def explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Returns log-odds (n, c) and explanations without evidence."""
        logits = self.logits(texts)
        none = np.zeros(0, dtype=np.int64)
        nothing = Terms(none, none, none, np.zeros((0, self._frames)))
        return logits, [
            tuple(FrameExplanation(z, z, nothing, k) for k, z in enumerate(row))
            for row in logits[:, : self._frames].tolist()
        ]

    def known_share(self, _text: str) -> float:
        """Returns 0: the vocabulary of an arbitrary pipeline is unknown."""
        return 0.0

    def prepare(self) -> None:
        """Does nothing: the pipeline is in memory."""


def scorer_of(pipeline: "Pipeline", frames: int, encoder: str = "") -> Scorer:
    """Returns the compiled scorer of a pipeline with `frames` frames where it can be compiled, else the pipeline."""
    return compile_pipeline(pipeline, frames, encoder) or PipelineScorer(pipeline, frames)


def compile_pipeline(pipeline: "Pipeline", frames: int, encoder: str = "") -> Compiled | None:
    """Returns the compiled form of a fitted pipeline with `frames` frames; None where it cannot be compiled.

    `encoder` is the digest of the encoder whose vectors the pipeline reads; empty for a pipeline that reads texts.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - servers never compile
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.multiclass import OneVsRestClassifier  # noqa: PLC0415

    steps = list(pipeline.named_steps.values())
    if encoder:
        return _heads(steps, frames, encoder)
    if [type(step) for step in steps] != [TfidfVectorizer, OneVsRestClassifier]:
        return None
    features, columns = steps
    if not _plain_words(features) or {type(e) for e in columns.estimators_} != {LogisticRegression}:
        return None
    coefficients, intercepts = linear_columns(columns)
    return CompiledScorer(
        vocabulary={term: int(place) for term, place in features.vocabulary_.items()},
        idf=np.asarray(features.idf_, dtype=np.float64),
        coefficients=coefficients,
        intercepts=intercepts,
        token=re.compile(features.token_pattern),
        longest=features.ngram_range[1],
        sublinear=features.sublinear_tf,
        frames=frames,
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


def _plain_words(features: Any) -> bool:
    """Whether the vectoriser does exactly what the compiled scorer does."""
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
    parameters = features.get_params()
    return features.ngram_range[0] == 1 and all(parameters[name] == value for name, value in expected.items())


def read_scorer(content: bytes) -> Compiled:
    """Reads a compiled scorer of either kind; raises `ModelFileError`."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            kind = json.loads(arrays["facts"].tobytes()).get("kind")
    except Exception as error:  # reading a file of another kind may raise anything
        raise ModelFileError("The compiled model cannot be read.") from error
    return EncoderScorer.from_bytes(content) if kind == KIND else CompiledScorer.from_bytes(content)


def agrees(scorer: Compiled, pipeline: "Pipeline") -> bool:
    """Whether both score alike, up to `TOLERANCE`, on texts of the model's terms and odd texts, or on vectors."""
    if isinstance(scorer, EncoderScorer):
        vectors = np.random.default_rng(0).normal(size=(100, len(scorer.coefficients)))
        computed, expected = sigmoid(scorer.of_vectors(vectors)), pipeline.predict_proba(vectors)
        return bool(np.abs(computed - expected).max() <= TOLERANCE)
    terms = sorted(scorer.vocabulary)
    generator = np.random.default_rng(0)
    texts = (
        [" ".join(generator.choice(terms, size)) for size in (1, 2, 5, 20, 80, 300) for _ in range(20)] if terms else []
    )
    texts += ["", "a", "İstanbul ﬁre Σίσυφος", "x" * 5000, f"{' '.join(terms[:50])} " * 40, "\u200b\ud800\0 1\u0301"]
    expected = pipeline.predict_proba([normalise(text) for text in texts])
    return bool(np.abs(sigmoid(scorer.logits(texts)) - expected).max() <= TOLERANCE)
