"""Calibration: scores that mean what they say, judged on sources that the model did not see.

Platt (1999), "Probabilistic outputs for support vector machines", with his smoothed targets, on log-odds that models
gave to sources left out of their training.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RELIABILITY_BINS = 10


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Paragraphs whose score lies in [low, high): how many, their mean score and the share that carry the frame."""

    low: float
    high: float
    paragraphs: int
    mean_score: float
    share: float


def fit_platt(logit: NDArray[np.float64], target: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset that turn log-odds (n,) into calibrated log-odds for targets (n,)."""
    from scipy.optimize import minimize  # noqa: PLC0415 - servers read cards and never calibrate
    from scipy.special import expit  # noqa: PLC0415

    positive, negative = target.sum(), (~target).sum()
    smooth = np.where(target, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = parameters[0] * logit + parameters[1]
        residual = expit(z) - smooth
        # No dot products: their threads wait for each other, on a busy machine many times as long as the sums take.
        value = (np.logaddexp(0, z) - smooth * z).sum()
        return float(value), np.array([(residual * logit).sum(), residual.sum()])

    slope, offset = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x
    # A negative slope would turn the model's order round; it happens only where the model knows nothing.
    return (float(slope), float(offset)) if slope > 0 else (1e-6, float(np.log(positive + 1) - np.log(negative + 1)))


def reliability(scores: NDArray[np.float64], target: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    """The reliability table of scores (n,) in ten bins of equal width; empty bins are left out."""
    bins = np.minimum((scores * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    return tuple(
        ReliabilityBin(
            low=number / RELIABILITY_BINS,
            high=(number + 1) / RELIABILITY_BINS,
            paragraphs=int(inside.sum()),
            mean_score=float(scores[inside].mean()),
            share=float(target[inside].mean()),
        )
        for number in range(RELIABILITY_BINS)
        if (inside := bins == number).any()
    )


def expected_calibration_error(table: tuple[ReliabilityBin, ...]) -> float:
    """ECE: mean gap between score and share over the bins, weighted by their paragraphs (Naeini et al. 2015)."""
    total = sum(row.paragraphs for row in table)
    return sum(row.paragraphs * abs(row.mean_score - row.share) for row in table) / total
