"""Calibration: turning log-odds into scores that are true probabilities, and measuring how far they are.

Platt (1999), "Probabilistic outputs for support vector machines", with his smoothed targets, on the log-odds of sources
left out of training.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RELIABILITY_BINS = 10

_SIMULATED = 1000


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The paragraphs with a score in [low, high): their number, mean score and the share that carries the frame."""

    low: float
    high: float
    paragraphs: int
    mean_score: float
    share: float


def fit_platt(
    logit: NDArray[np.float64], target: NDArray[np.bool_], weight: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """Returns slope and offset that turn log-odds (n,) into calibrated log-odds for targets (n,).

    `weight` (n,) says how many paragraphs each stands for; None means a paragraph each.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - servers read cards and never calibrate
    from scipy.special import expit  # noqa: PLC0415

    weight = np.ones(len(target)) if weight is None else weight
    positive, negative = weight[target].sum(), weight[~target].sum()
    smooth = np.where(target, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = parameters[0] * logit + parameters[1]
        residual = weight * (expit(z) - smooth)
        # Not as dot products: on a busy machine their threads wait for each other far longer than the sums take.
        value = (weight * (np.logaddexp(0, z) - smooth * z)).sum()
        return float(value), np.array([(residual * logit).sum(), residual.sum()])

    slope, offset = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x
    # A negative slope would reverse the model's ranking; it occurs only where the model has learned nothing.
    return (float(slope), float(offset)) if slope > 0 else (1e-6, float(np.log(positive + 1) - np.log(negative + 1)))


def reliability(
    scores: NDArray[np.float64], target: NDArray[np.bool_], weight: NDArray[np.float64] | None = None
) -> tuple[ReliabilityBin, ...]:
    """Returns the reliability table of scores (n,) in ten bins of equal width, without empty bins.

    `weight` (n,) counts in mean scores and shares, not in numbers of paragraphs; None means a paragraph each.
    """
    bins = _bins(scores)
    return tuple(
        ReliabilityBin(
            low=number / RELIABILITY_BINS,
            high=(number + 1) / RELIABILITY_BINS,
            paragraphs=int(inside.sum()),
            mean_score=float(np.average(scores[inside], weights=None if weight is None else weight[inside])),
            share=float(np.average(target[inside], weights=None if weight is None else weight[inside])),
        )
        for number in range(RELIABILITY_BINS)
        if (inside := bins == number).any()
    )


def _bins(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.minimum((scores * RELIABILITY_BINS).astype(np.int64), RELIABILITY_BINS - 1)


def expected_calibration_error(
    scores: NDArray[np.float64], target: NDArray[np.bool_], weight: NDArray[np.float64] | None = None
) -> float:
    """Returns the ECE: mean gap between score and share over the bins, weighted by paragraphs (Naeini et al. 2015)."""
    bins = _bins(scores)
    sizes = np.bincount(bins, weight)[np.unique(bins)].tolist()
    gaps = [abs(row.mean_score - row.share) for row in reliability(scores, target, weight)]
    return float(sum(size * gap for size, gap in zip(sizes, gaps, strict=True)) / sum(sizes))


def chance_calibration_error(
    scores: NDArray[np.float64], weight: NDArray[np.float64] | None = None, *, seed: int = 0
) -> float:
    """Returns the ECE that a calibrated model with these scores (n,) exceeds with a probability of 5 %, by simulation.

    No finite sample shows an ECE of 0: labels are drawn from the scores themselves, and the 95th percentile of their
    ECE is what a measured ECE has to be read against (Bröcker and Smith 2007, "Increasing the reliability of
    reliability diagrams").
    """
    weight = np.ones(len(scores)) if weight is None else weight
    drawn = np.random.default_rng(seed).random((_SIMULATED, len(scores))) < scores
    indicator = np.eye(RELIABILITY_BINS)[_bins(scores)]
    gaps = np.abs((weight * (scores - drawn)) @ indicator).sum(axis=1) / weight.sum()
    return float(np.quantile(gaps, 0.95))
