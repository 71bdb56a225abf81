"""Which paragraphs to code next: a simple random sample and one that favours what the model is unsure of.

Both samples are drawn from the same pool, independently, with known inclusion probabilities, so that the codes serve
training and, weighted by 1 / probability (Horvitz and Thompson 1952), unbiased estimates of prevalence alike. The
second is systematic sampling with probability proportional to size (Madow 1949); size is the square of the entropy of
the calibrated scores summed over frames, the uncertainty of a multi-label model whose frames are decided one by one.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

RANDOM_SHARE = 0.5
_LEAST_SIZE = 0.02
"""A sure paragraph still has a chance: without one its probability would be 0 and no weight could make up for it."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One drawn paragraph: its position in the pool, by which sample, and its probability to be in either."""

    position: int
    selection: Literal["random", "uncertain"]
    inclusion_probability: float


def uncertainty(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy in bits summed over frames, (n,), of calibrated scores (n, k)."""
    p = np.clip(scores, 1e-12, 1 - 1e-12)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).sum(axis=1))


def draw(scores: NDArray[np.float64], count: int, generator: np.random.Generator) -> list[Draw]:
    """About `count` paragraphs of a pool with scores (n, k); fewer where the two samples overlap."""
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
    """Inclusion probabilities, (n,), that sum to `count`, are at most 1 and else proportional to the sizes."""
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
    """Positions of a sample in which each member has exactly its probability, by equal steps through a random order."""
    order = generator.permutation(len(probabilities))
    reached = np.cumsum(probabilities[order])
    steps = np.arange(generator.random(), reached[-1], 1.0)
    places = np.searchsorted(reached, steps, side="left")
    return np.asarray(order[np.minimum(places, len(order) - 1)], dtype=np.int64)
