"""Prevalence of a frame with an honest interval: the classifier's error is corrected by coded paragraphs.

Every paragraph has a score; a few, drawn with known probabilities, have codes too. The corrected share is

    lambda * (mean score of all) + (weighted mean of code - lambda * score, over the coded)

the prediction-powered estimator PPI++ (Angelopoulos, Duchi and Zrnic 2023, arXiv:2311.01453), with Hajek weights
1 / inclusion probability. Its variance is that of a two-phase sample, linearised and clustered by article (Sarndal,
Swensson and Wretman 1992, ch. 9): each article is one observation, whether it gave scores, codes or both. lambda is the
one in [0, 1] with the least variance, so a useless classifier costs nothing: lambda 0 is the mean of the codes.

Intervals are Wilson's at the effective sample size of that variance (Korn and Graubard 1998), with Student's t for as
many degrees of freedom as coded articles: they stay within [0, 1] and hold for rare frames, where normal ones do not.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
FEWEST_CODES = 30
FEWEST_ARTICLES = 15
WANTED_WIDTH = 0.2

_NORMAL = 1.959964
"""Quantile of the normal distribution for 95%."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over articles of a cell: all that the estimator needs of what was not coded. Additive.

    `size` of an article is its number of units (or their weight), `score` the sum of their scores.
    """

    articles: int = 0
    size: float = 0.0
    score: float = 0.0
    size_squared: float = 0.0
    score_squared: float = 0.0
    size_score: float = 0.0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.articles + other.articles,
            self.size + other.size,
            self.score + other.score,
            self.size_squared + other.size_squared,
            self.score_squared + other.score_squared,
            self.size_score + other.size_score,
        )

    def scaled(self, factor: float) -> "Sums":
        """The sums where each unit counts `factor` times."""
        square = factor * factor
        return Sums(
            self.articles,
            self.size * factor,
            self.score * factor,
            self.size_squared * square,
            self.score_squared * square,
            self.size_score * square,
        )

    @property
    def mean_score(self) -> float:
        return self.score / self.size if self.size else 0.0

    @property
    def squared_deviations(self) -> float:
        """Sum over articles of (score - mean * size)^2 / total size^2: the clustered variance of the mean score."""
        if not self.size:
            return 0.0
        mean = self.mean_score
        found = self.score_squared - 2 * mean * self.size_score + mean * mean * self.size_squared
        return max(0.0, found) / self.size**2


@dataclass(frozen=True, slots=True)
class Codes:
    """n coded units of a cell: code in [0, 1], score, weight, and the article (0 to g - 1) of each, all (n,).

    `article_sizes` and `article_scores`, (g,), are what those articles contribute to the `Sums`; zeros for articles
    that are not among them.
    """

    code: NDArray[np.float64]
    score: NDArray[np.float64]
    weight: NDArray[np.float64]
    article: NDArray[np.int64]
    article_sizes: NDArray[np.float64]
    article_scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.code)

    @property
    def articles(self) -> int:
        return len(self.article_sizes)

    @property
    def enough(self) -> bool:
        """Whether an interval from so many codes can be trusted (the simulation in the tests says from when on)."""
        return len(self) >= FEWEST_CODES and self.articles >= FEWEST_ARTICLES


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its interval; `tuning` is lambda, how much the scores were trusted."""

    value: float
    low: float
    high: float
    standard_error: float
    tuning: float


def corrected_share(population: Sums, codes: Codes, *, tuning: float | None = None) -> Share:
    """The share of units that carry a frame, from the scores of all and the codes of some of them (95% interval)."""
    by_code, by_score = _influences(population, codes)
    if tuning is None:
        tuning = _best_tuning(population, codes, by_code, by_score)
    total = codes.weight.sum()
    rectifier = float((codes.weight * (codes.code - tuning * codes.score)).sum() / total)
    variance = _variance(population, codes, by_code, by_score, tuning)
    return _with_interval(tuning * population.mean_score + rectifier, variance, codes, tuning)


def borrowed_share(population: Sums, wider: Sums, share: Share, codes: Codes) -> Share:
    """The share in a cell without codes of its own, from the corrected `share` of a wider set that contains it.

    A synthetic estimate (Rao and Molina 2015, ch. 3): it takes for granted that a score means the same in the cell as
    in the wider set; how far cells differ in that is in no interval.
    """
    moved = share.value + share.tuning * (population.mean_score - wider.mean_score)
    variance = share.standard_error**2 + share.tuning**2 * population.squared_deviations
    return _with_interval(moved, variance, codes, share.tuning)


def codes_needed(population: Sums, codes: Codes, width: float = WANTED_WIDTH) -> int:
    """How many more codes, drawn at random, an interval of that width takes; 0 where it is narrower already.

    Planned from the variance found where there are enough codes, else as if the classifier did not help.
    """
    if codes.enough:
        share = corrected_share(population, codes)
        reached = share.high - share.low
        wanted = len(codes) * (reached / width) ** 2
        return max(0, int(np.ceil(wanted)) - len(codes))
    rate = min(0.5, max(population.mean_score, 0.05))
    wanted = _NORMAL**2 * rate * (1 - rate) / (width / 2) ** 2
    return max(FEWEST_CODES, int(np.ceil(wanted))) - len(codes) if len(codes) < max(FEWEST_CODES, wanted) else 1


def difference(first: Share, second: Share) -> tuple[float, float, float]:
    """First minus second with its 95% interval, by squaring and adding the two intervals (Newcombe 1998).

    Only for shares of sets that have no article in common.
    """
    found = first.value - second.value
    low = found - np.hypot(first.value - first.low, second.high - second.value)
    high = found + np.hypot(first.high - first.value, second.value - second.low)
    return found, float(low), float(high)


def stance_interval(share: float, size: float) -> tuple[float, float]:
    """95% interval of a share of `size` paragraphs (Wilson 1927): of what was counted, as if it were drawn at random.

    The classifier's errors are not in it.
    """
    spread = _NORMAL**2 / size
    middle = (share + spread / 2) / (1 + spread)
    half = _NORMAL / (1 + spread) * np.sqrt(share * (1 - share) / size + spread / (4 * size))
    return max(0.0, min(share, float(middle - half))), min(1.0, max(share, float(middle + half)))


def _influences(population: Sums, codes: Codes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each coded article (g,) moves the estimate by: through its codes, and per unit of lambda through scores."""
    total = codes.weight.sum()
    code_mean = (codes.weight * codes.code).sum() / total
    score_mean = (codes.weight * codes.score).sum() / total
    by_code = _per_article(codes, codes.weight * (codes.code - code_mean) / total)
    by_score = _per_article(codes, codes.weight * (codes.score - score_mean) / total)
    return by_code, _in_population(population, codes) - by_score


def _in_population(population: Sums, codes: Codes) -> NDArray[np.float64]:
    if not population.size:
        return np.zeros(codes.articles)
    return np.asarray((codes.article_scores - population.mean_score * codes.article_sizes) / population.size)


def _per_article(codes: Codes, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.bincount(codes.article, weights=values, minlength=codes.articles).astype(np.float64)


def _score_variance(population: Sums, codes: Codes, by_score: NDArray[np.float64]) -> float:
    """The factor of lambda^2: articles without codes count through the population's sums alone."""
    uncoded = population.squared_deviations - float((_in_population(population, codes) ** 2).sum())
    return max(0.0, uncoded) + float((by_score**2).sum())


def _best_tuning(population: Sums, codes: Codes, by_code: NDArray[np.float64], by_score: NDArray[np.float64]) -> float:
    spread = _score_variance(population, codes, by_score)
    return float(np.clip(-(by_code * by_score).sum() / spread, 0.0, 1.0)) if spread > 0 else 0.0


def _variance(
    population: Sums, codes: Codes, by_code: NDArray[np.float64], by_score: NDArray[np.float64], tuning: float
) -> float:
    found = float((by_code**2).sum() + 2 * tuning * (by_code * by_score).sum())
    found += tuning**2 * _score_variance(population, codes, by_score)
    articles = codes.articles
    return max(found, 0.0) * (articles / (articles - 1) if articles > 1 else 1.0)


@lru_cache(maxsize=10_000)
def _quantile(freedom: int) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415 - 25 MiB that only corrected shares need

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def _with_interval(value: float, variance: float, codes: Codes, tuning: float) -> Share:
    n = len(codes)
    # Codes that all agree would promise certainty: no interval is narrower than one more error among them makes it.
    variance = max(variance, 1.0 / n**2)
    quantile = _quantile(max(1, codes.articles - 1))
    centre = min(max(value, 0.5 / n), 1 - 0.5 / n)
    effective = centre * (1 - centre) / variance
    spread = quantile**2 / effective
    middle = (centre + spread / 2) / (1 + spread)
    half = quantile / (1 + spread) * np.sqrt(variance + (quantile / effective) ** 2 / 4)
    value = min(max(value, 0.0), 1.0)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Share(value, min(float(low), value), max(float(high), value), float(np.sqrt(variance)), tuning)
