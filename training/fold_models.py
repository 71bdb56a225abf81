"""Fold models: a model refitted without each fold of the articles in turn, at the strength that it chose itself.

The scores of a model on paragraphs that it has learned from do not show how it errs; those of the fold model that has
not seen their article do. Corrected shares and verdicts therefore use the score of that model for annotated articles,
and the mean of all fold models for the others, so that both have the same expectation: cross-prediction-powered
inference (Zrnic and Candes 2024, "Cross-prediction-powered inference", PNAS 121).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.dataset import FOLDS, Dataset, fold_of
from training.model_card import FoldFacts
from training.scoring.operating_points import best_f1_threshold

Weights = TypeVar("Weights")


def fit_folds(folds: NDArray[np.int64], whole: Weights, fit: Callable[[NDArray[np.bool_]], Weights]) -> list[Weights]:
    """Returns what is fitted without each fold of n paragraphs, (n,), by `fit`, which gets the rows that remain, (n,).

    `whole` is what was fitted to all of them: it stands for a fold without paragraphs.
    """
    return [fit(folds != fold) if (folds == fold).any() else whole for fold in range(FOLDS)]


def of_own_fold(scores: NDArray[np.float64], articles: Sequence[str]) -> NDArray[np.float64]:
    """Returns the scores (n, k) of the fold models that have not seen the articles, of those of all, (n, folds, k)."""
    return np.asarray(scores[np.arange(len(articles)), [fold_of(article) for article in articles]])


def thresholds_of_own_fold(facts: FoldFacts, frames: Sequence[str], articles: Sequence[str]) -> NDArray[np.float64]:
    """Returns the thresholds of k frames that were fitted without the fold of each of n articles, (n, k)."""
    of_folds = np.array([[fold[frame] for frame in frames] for fold in facts.thresholds])
    return np.asarray(of_folds[[fold_of(article) for article in articles]])


def fold_facts(training: Dataset, left_out: NDArray[np.float64], known: Mapping[str, float] | None = None) -> FoldFacts:
    """Returns the thresholds of each fold, fitted to the scores left out (n, k) of the other folds.

    `known` has thresholds of frames for which they are not fitted.
    """
    known, folds = known or {}, training.folds
    return FoldFacts(
        tuple(
            {
                frame: known[frame] if frame in known else _threshold(training, left_out, folds != fold, k)
                for k, frame in enumerate(training.frames)
            }
            for fold in range(FOLDS)
        )
    )


def _threshold(training: Dataset, left_out: NDArray[np.float64], rows: NDArray[np.bool_], frame: int) -> float:
    rows = rows & training.coded[:, frame]
    if not training.targets[rows, frame].any():
        rows = training.coded[:, frame]
    return best_f1_threshold(left_out[rows, frame], training.targets[rows, frame])
