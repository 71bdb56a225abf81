"""The stance of a frame that is present: advanced by the text itself, reported from a source, or contested.

The scores of the stances are the softmax of their log-odds, calibrated on sources left out by a common slope and an
offset per stance (Alexandari, Kundaje and Shrikumar 2020, bias-corrected temperature scaling).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from labels.annotations import SPECIFIED_STANCES
from training.dataset import Dataset
from training.evaluation import Evaluation, StanceFigures, evaluate

# Stances are learned where at least two of them have this many paragraphs each.
MIN_CODED = 10


def stances_learnable(part: Dataset) -> bool:
    """Whether at least two stances were coded often enough."""
    _, _, stances = part.coded_stances
    counts = np.bincount(stances, minlength=len(SPECIFIED_STANCES))
    return bool((counts >= MIN_CODED).sum() >= 2)


def fit_calibration(logits: NDArray[np.float64], stances: NDArray[np.int64]) -> tuple[float, NDArray[np.float64]]:
    """Fits slope and offsets (s,) so that the softmax of log-odds (m, s) predicts the coded stances (m,)."""
    count = logits.shape[1]
    chosen = np.eye(count)[stances]

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = parameters[0] * logits + parameters[1:]
        residual = softmax(z, axis=1) - chosen
        value = logsumexp(z, axis=1).sum() - z[chosen == 1].sum() + (parameters[1:] ** 2).sum()
        return float(value), np.concatenate(([(residual * logits).sum()], residual.sum(axis=0) + 2 * parameters[1:]))

    fitted = minimize(loss, np.concatenate(([1.0], np.zeros(count))), jac=True, method="L-BFGS-B").x
    return max(float(fitted[0]), 1e-6), np.asarray(fitted[1:], dtype=np.float64)


def column_calibration(part: Dataset, logits: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fits the calibration of log-odds (n, k, s): returns slopes and offsets of all columns, (k·s,), frame by frame.

    The columns share a slope; offsets are those of the stance.
    """
    rows, frames, stances = part.coded_stances
    slope, offsets = fit_calibration(logits[rows, frames], stances)
    count = len(part.frames)
    return np.full(count * len(offsets), slope), np.tile(offsets, count)


def evaluate_stances(how: str, part: Dataset, logits: NDArray[np.float64], folds: NDArray[np.int64]) -> StanceFigures:
    """Returns the figures of log-odds (n, k, s), with the fold of each paragraph (n,).

    Each fold uses the calibration, and the commonest stance of a frame, from the other folds.
    """
    rows, frames, stances = part.coded_stances
    coded = logits[rows, frames]
    scores, commonest = np.zeros(coded.shape), np.zeros(coded.shape)
    for fold in np.unique(folds):
        inside = folds[rows] == fold
        if not inside.any() or inside.all():
            continue
        slope, offsets = fit_calibration(coded[~inside], stances[~inside])
        scores[inside] = softmax(slope * coded[inside] + offsets, axis=1)
        for frame in np.unique(frames[inside]):
            counts = np.bincount(stances[~inside & (frames == frame)], minlength=len(SPECIFIED_STANCES))
            commonest[inside & (frames == frame), counts.argmax()] = 1.0
    articles = part.articles[rows]
    return StanceFigures(
        overall=stance_figures(how, scores, stances, articles),
        majority=stance_figures("the commonest stance of the frame", commonest, stances, articles),
        frames={
            name: stance_figures(how, scores[chosen], stances[chosen], articles[chosen])
            for frame, name in enumerate(part.frames)
            if (chosen := frames == frame).any()
        },
    )


def stance_figures(
    how: str, scores: NDArray[np.float64], stances: NDArray[np.int64], articles: NDArray[np.object_]
) -> Evaluation:
    """Returns the figures of scores (m, s) against coded stances (m,); the likeliest stance is the decision."""
    indicator = np.eye(len(SPECIFIED_STANCES), dtype=bool)
    return evaluate(
        how, tuple(SPECIFIED_STANCES), scores, indicator[scores.argmax(axis=1)], indicator[stances], articles
    )
