"""Calibration: turning log-odds into scores that are true probabilities, and measuring how far they are.

Platt (1999), "Probabilistic outputs for support vector machines", with his smoothed targets, on the log-odds of sources
left out of training.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RELIABILITY_BINS = 10


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The paragraphs with a score in [low, high): their number, mean score and the share that carries the frame."""

    low: float
    high: float
    paragraphs: int
    mean_score: float
    share: float


def fit_platt(logit: NDArray[np.float64], target: NDArray[np.bool_]) -> tuple[float, float]:
    """Returns slope and offset that turn log-odds (n,) into calibrated log-odds for targets (n,)."""
    from scipy.optimize import minimize  # noqa: PLC0415 - servers read cards and never calibrate
    from scipy.special import expit  # noqa: PLC0415

    positive, negative = target.sum(), (~target).sum()
    smooth = np.where(target, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = parameters[0] * logit + parameters[1]
        residual = expit(z) - smooth
        # Not as dot products: on a busy machine their threads wait for each other far longer than the sums take.
        value = (np.logaddexp(0, z) - smooth * z).sum()
        return float(value), np.array([(residual * logit).sum(), residual.sum()])

    slope, offset = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x
    # A negative slope would reverse the model's ranking; it occurs only where the model has learned nothing.
    return (float(slope), float(offset)) if slope > 0 else (1e-6, float(np.log(positive + 1) - np.log(negative + 1)))


def reliability(scores: NDArray[np.float64], target: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    """Returns the reliability table of scores (n,) in ten bins of equal width, without empty bins."""
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
    """Returns the ECE: mean gap between score and share over the bins, weighted by paragraphs (Naeini et al. 2015)."""
    total = sum(row.paragraphs for row in table)
    return sum(row.paragraphs * abs(row.mean_score - row.share) for row in table) / total
