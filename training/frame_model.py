"""`FrameModel`: a fitted pipeline with its card; scores paragraphs and says which words carried a score."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.pipeline import Pipeline

from labels.normalise import NormalText, normalise, normalise_with_offsets
from training.card import ModelCard


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words at `text[start:end]` of the scored paragraph and the log-odds that they add to a frame."""

    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class FrameExplanation:
    """Why a paragraph scored as it did for one frame: intercept + all evidence weights = logit."""

    logit: float
    intercept: float
    evidence: tuple[Evidence, ...]

    def strongest(self, count: int) -> tuple[Evidence, ...]:
        """The `count` weightiest words, for and against, the weightiest first."""
        return tuple(sorted(self.evidence, key=lambda e: (-abs(e.weight), e.start))[:count])


class FrameModel:
    """Scores paragraphs with a calibrated linear pipeline."""

    def __init__(self, pipeline: Pipeline, card: ModelCard) -> None:
        self.card = card
        self._features = pipeline.named_steps["features"]
        self._token = re.compile(self._features.token_pattern)
        self._longest = self._features.ngram_range[1]
        estimators = pipeline.named_steps["frames"].estimators_
        # One stacked product in place of a call a frame, each of which would validate the input anew.
        self._coefficients = np.vstack([estimator.coef_ for estimator in estimators]).T
        self._intercepts = np.concatenate([estimator.intercept_ for estimator in estimators])

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated scores, shape (n, k), of paragraphs as they were submitted."""
        return np.asarray(expit(self._logits(self._weights(texts))))

    def score_and_explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Scores (n, k) and, for each paragraph, the explanation of each frame."""
        weights = self._weights(texts)
        found = self._logits(weights)
        explanations = [self._explain(text, weights[row], found[row]) for row, text in enumerate(texts)]
        return np.asarray(expit(found)), explanations

    def _weights(self, texts: Sequence[str]) -> csr_matrix:
        return self._features.transform([normalise(text) for text in texts])

    def _logits(self, weights: csr_matrix) -> NDArray[np.float64]:
        return np.asarray(weights @ self._coefficients + self._intercepts)

    def _explain(self, text: str, weights: csr_matrix, logit: NDArray[np.float64]) -> tuple[FrameExplanation, ...]:
        spans, columns = self._terms(normalise_with_offsets(text))
        if not columns:
            return tuple(FrameExplanation(float(z), float(b), ()) for z, b in zip(logit, self._intercepts, strict=True))
        places = np.array(columns)
        _, inverse, counts = np.unique(places, return_inverse=True, return_counts=True)
        value = np.asarray(weights[:, places].todense())[0]
        # A term that occurs n times adds its weight once: each place carries an n-th.
        shares = (value / counts[inverse])[:, None] * self._coefficients[places]
        return tuple(
            FrameExplanation(
                logit=float(logit[k]),
                intercept=float(self._intercepts[k]),
                evidence=tuple(
                    Evidence(start, end, float(share)) for (start, end), share in zip(spans, shares[:, k], strict=True)
                ),
            )
            for k in range(len(logit))
        )

    def _terms(self, normal: NormalText) -> tuple[list[tuple[int, int]], list[int]]:
        """Spans in the submitted text, and feature columns, of every known term of a paragraph."""
        vocabulary = self._features.vocabulary_
        tokens = [(match.start(), match.end(), match.group()) for match in self._token.finditer(normal.text)]
        spans, columns = [], []
        for length in range(1, self._longest + 1):
            for first in range(len(tokens) - length + 1):
                words = tokens[first : first + length]
                column = vocabulary.get(" ".join(word for _, _, word in words))
                if column is not None:
                    spans.append(normal.original_span(words[0][0], words[-1][1]))
                    columns.append(column)
        return spans, columns
