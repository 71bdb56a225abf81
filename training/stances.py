"""The voice of a frame that is present: put forward by the text itself, reported of a source, or contested.

Scores of the stances of a frame are the softmax of their log-odds, calibrated on sources left out by one slope and an
offset a stance (Alexandari, Kundaje and Shrikumar 2020, bias-corrected temperature scaling).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from labels.annotations import SPECIFIED_STANCES
from training.dataset import Dataset
from training.evaluation import Evaluation, StanceFigures, evaluate

MIN_CODED = 10
"""Fewest paragraphs with each of two stances from which stances are learned at all."""


def can_be_learned(part: Dataset) -> bool:
    """Whether at least two stances were coded often enough."""
    _, _, said = part.said
    counts = np.bincount(said, minlength=len(SPECIFIED_STANCES))
    return bool((counts >= MIN_CODED).sum() >= 2)


def fit_calibration(logits: NDArray[np.float64], said: NDArray[np.int64]) -> tuple[float, NDArray[np.float64]]:
    """Slope, and offsets (s,), that make the softmax of logits (m, s) the share of what was said (m,)."""
    count = logits.shape[1]
    chosen = np.eye(count)[said]

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = parameters[0] * logits + parameters[1:]
        residual = softmax(z, axis=1) - chosen
        value = logsumexp(z, axis=1).sum() - z[chosen == 1].sum() + (parameters[1:] ** 2).sum()
        return float(value), np.concatenate(([(residual * logits).sum()], residual.sum(axis=0) + 2 * parameters[1:]))

    found = minimize(loss, np.concatenate(([1.0], np.zeros(count))), jac=True, method="L-BFGS-B").x
    return max(float(found[0]), 1e-6), np.asarray(found[1:], dtype=np.float64)


def evaluate_stances(how: str, part: Dataset, logits: NDArray[np.float64], folds: NDArray[np.int64]) -> StanceFigures:
    """Figures from log-odds (n, k, s) of folds left out (n,), each calibrated on the others; majority likewise."""
    rows, frames, said = part.said
    found = logits[rows, frames]
    scores, commonest = np.zeros(found.shape), np.zeros(found.shape)
    for fold in np.unique(folds):
        inside = folds[rows] == fold
        if not inside.any() or inside.all():
            continue
        slope, offsets = fit_calibration(found[~inside], said[~inside])
        scores[inside] = softmax(slope * found[inside] + offsets, axis=1)
        for frame in np.unique(frames[inside]):
            counts = np.bincount(said[~inside & (frames == frame)], minlength=len(SPECIFIED_STANCES))
            commonest[inside & (frames == frame), counts.argmax()] = 1.0
    articles = part.articles[rows]
    return StanceFigures(
        overall=stance_figures(how, scores, said, articles),
        majority=stance_figures("the commonest stance of the frame", commonest, said, articles),
        frames={
            name: stance_figures(how, scores[chosen], said[chosen], articles[chosen])
            for frame, name in enumerate(part.frames)
            if (chosen := frames == frame).any()
        },
    )


def stance_figures(
    how: str, scores: NDArray[np.float64], said: NDArray[np.int64], articles: NDArray[np.object_]
) -> Evaluation:
    """Figures of scores (m, s) where a stance was said, (m,); the likeliest stance is the decision."""
    decided, targets = (
        np.eye(len(SPECIFIED_STANCES), dtype=bool)[numbers] for numbers in (scores.argmax(axis=1), said)
    )
    return evaluate(how, tuple(SPECIFIED_STANCES), scores, decided, targets, articles)
