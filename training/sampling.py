"""Which paragraphs to code next: a simple random sample, and a sample that favours paragraphs the model is unsure of.

Both samples are drawn independently from the same pool with known inclusion probabilities. So the annotations serve
for training and, weighted by 1 / probability (Horvitz and Thompson 1952), for unbiased estimates of prevalence. The
second is systematic sampling with probability proportional to size (Madow 1949). Size is the square of the entropy of
the calibrated scores summed over frames: the uncertainty of a multi-label model that decides each frame separately.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labels.annotations import Selection

RANDOM_SHARE = 0.5
# Relative to the largest size. Without it a sure paragraph would have probability 0, which no weight could correct.
_LEAST_SIZE = 0.02


@dataclass(frozen=True, slots=True)
class Draw:
    """A drawn paragraph: its position in the pool, its sample, and its probability of being in either sample."""

    position: int
    selection: Selection
    inclusion_probability: float


def uncertainty(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the entropy in bits summed over frames, (n,), of calibrated scores (n, k)."""
    p = np.clip(scores, 1e-12, 1 - 1e-12)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).sum(axis=1))


def draw(scores: NDArray[np.float64], count: int, generator: np.random.Generator) -> list[Draw]:
    """Draws about `count` paragraphs of a pool with scores (n, k); fewer where the two samples overlap."""
    pool = len(scores)
    if count >= pool:
        return [Draw(position, "random", 1.0) for position in range(pool)]
    at_random = max(1, round(count * RANDOM_SHARE))
    random_probability = at_random / pool
    chosen_at_random = set(generator.choice(pool, size=at_random, replace=False).tolist())
    probabilities = proportional_probabilities(uncertainty(scores) ** 2, count - at_random)
    chosen_as_uncertain = set(systematic_sample(probabilities, generator).tolist())
    either = 1 - (1 - random_probability) * (1 - probabilities)
    return [
        Draw(position, "random" if position in chosen_at_random else "uncertain", float(either[position]))
        for position in sorted(chosen_at_random | chosen_as_uncertain)
    ]


def proportional_probabilities(sizes: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Returns inclusion probabilities (n,), proportional to the sizes but at most 1, that add up to `count`."""
    sizes = np.maximum(sizes, _LEAST_SIZE * max(float(sizes.max(initial=0)), 1e-9))
    certain = np.zeros(len(sizes), dtype=bool)
    while True:
        left = count - int(certain.sum())
        probabilities = np.where(certain, 1.0, left * sizes / max(float(sizes[~certain].sum()), 1e-300))
        over = (probabilities > 1) & ~certain
        if not over.any():
            return probabilities
        certain |= over


def systematic_sample(probabilities: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Draws a sample with exactly these probabilities, by equal steps through a random order; returns positions."""
    order = generator.permutation(len(probabilities))
    reached = np.cumsum(probabilities[order])
    steps = np.arange(generator.random(), reached[-1], 1.0)
    places = np.searchsorted(reached, steps, side="left")
    return np.asarray(order[np.minimum(places, len(order) - 1)], dtype=np.int64)
