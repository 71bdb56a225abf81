"""Prevalence of a frame with an honest interval: coded paragraphs correct the classifier's error.

Every paragraph has a score; a few, drawn with known probabilities, have a gold label too. The corrected share is

    lambda * (mean score of all) + (weighted mean of label - lambda * score, over the coded)

This is the prediction-powered estimator PPI++ (Angelopoulos, Duchi and Zrnic 2023, arXiv:2311.01453), with Hajek
weights 1 / inclusion probability. Its variance is that of a two-phase sample, linearised and clustered by article
(Sarndal, Swensson and Wretman 1992, ch. 9): each article is a single observation, whether it contributes scores, labels
or both. lambda is the value in [0, 1] with the least variance, so a useless classifier costs nothing: at lambda 0 the
share is the mean of the labels.

Intervals are Wilson's at the effective sample size of that variance (Korn and Graubard 1998), with Student's t for as
many degrees of freedom as coded articles; articles of unequal weight count as the number of equal ones that would say
as much (Kish 1965). They stay within [0, 1] and hold for rare frames; normal intervals do not.
"""

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

# "95%" is also written out in descriptions: in `service/schemas/prevalence.py`, `service/routes/prevalence.py` and the
# template of the dashboard.
CONFIDENCE = 0.95
FEWEST_CODED = 30
FEWEST_ARTICLES = 15
WANTED_WIDTH = 0.2

# Quantile of the normal distribution.
_NORMAL = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the articles of a cell, all that the estimator needs of uncoded units. Sums of cells can be added.

    The size of an article is its number of units (or their weight), its score the sum of their scores.
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
        """Returns the sums with each unit counted `factor` times."""
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
        """Mean score of a unit; 0 without units."""
        return self.score / self.size if self.size else 0.0

    @property
    def squared_deviations(self) -> float:
        """Sum over articles of (score - mean * size)^2 / total size^2: the clustered variance of the mean score."""
        if not self.size:
            return 0.0
        mean = self.mean_score
        deviations = self.score_squared - 2 * mean * self.size_score + mean * mean * self.size_squared
        return max(0.0, deviations) / self.size**2


@dataclass(frozen=True, slots=True)
class CodedUnits:
    """n coded units of a cell: gold label in [0, 1], score, weight and article (0 to g - 1) of each, (n,) each.

    `article_sizes` and `article_scores`, (g,), are what those articles contribute to the `Sums`; zeros for articles
    outside the `Sums`.
    """

    label: NDArray[np.float64]
    score: NDArray[np.float64]
    weight: NDArray[np.float64]
    article: NDArray[np.int64]
    article_sizes: NDArray[np.float64]
    article_scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.label)

    @property
    def articles(self) -> int:
        """Number of coded articles, g."""
        return len(self.article_sizes)

    @property
    def effective_articles(self) -> float:
        """Number of coded articles of equal weight that would say as much; at least 1, at most g."""
        weights = _per_article(self, self.weight)
        return float(weights.sum() ** 2 / (weights**2).sum())

    @property
    def enough(self) -> bool:
        """Whether there are enough units for a trustworthy interval; a simulation in the tests supports the bounds."""
        return len(self) >= FEWEST_CODED and self.articles >= FEWEST_ARTICLES


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95% interval; `tuning` is lambda, the weight of the scores."""

    value: float
    low: float
    high: float
    standard_error: float
    tuning: float


def corrected_share(population: Sums, coded: CodedUnits, *, tuning: float | None = None) -> Share:
    """Estimates the share of units that carry a frame, from the scores of all and the gold labels of some of them."""
    by_label, by_score = _influences(population, coded)
    if tuning is None:
        tuning = _best_tuning(population, coded, by_label, by_score)
    total = coded.weight.sum()
    rectifier = float((coded.weight * (coded.label - tuning * coded.score)).sum() / total)
    variance = _variance(population, coded, by_label, by_score, tuning)
    return _with_interval(tuning * population.mean_score + rectifier, variance, coded, tuning)


def borrowed_share(population: Sums, wider: Sums, share: Share, coded: CodedUnits) -> Share:
    """Estimates the share in a cell that lacks coded units, from the corrected `share` of a wider set around it.

    A synthetic estimate (Rao and Molina 2015, ch. 3): it assumes that a score means the same in the cell as in the
    wider set; the interval does not cover how far cells differ in that.
    """
    moved = share.value + share.tuning * (population.mean_score - wider.mean_score)
    variance = share.standard_error**2 + share.tuning**2 * population.squared_deviations
    return _with_interval(moved, variance, coded, share.tuning)


def annotations_needed(population: Sums, coded: CodedUnits, width: float = WANTED_WIDTH) -> int:
    """Returns the number of further units to code, drawn at random, for an interval of `width`; 0 if it is narrower.

    Where enough units are coded it plans from their variance, else as if the classifier did not help.
    """
    if coded.enough:
        share = corrected_share(population, coded)
        reached = share.high - share.low
        wanted = len(coded) * (reached / width) ** 2
        return max(0, int(np.ceil(wanted)) - len(coded))
    rate = min(0.5, max(population.mean_score, 0.05))
    wanted = _NORMAL**2 * rate * (1 - rate) / (width / 2) ** 2
    return max(FEWEST_CODED, int(np.ceil(wanted))) - len(coded) if len(coded) < max(FEWEST_CODED, wanted) else 1


def difference(first: Share, second: Share) -> tuple[float, float, float]:
    """Returns first minus second with its 95% interval, by squaring and adding the two intervals (Newcombe 1998).

    Only for shares of sets without common articles.
    """
    change = first.value - second.value
    low = change - np.hypot(first.value - first.low, second.high - second.value)
    high = change + np.hypot(first.high - first.value, second.value - second.low)
    return change, float(low), float(high)


@dataclass(frozen=True, slots=True)
class StanceSums:
    """Sums over the articles of a cell from which the interval of a stance's share follows.

    Of an article, `stance` is the sum of the scores of the stance over its paragraphs that carry the frame, and
    `present` that of all stances, which is the number of these paragraphs.
    """

    articles: int
    stance: float
    present: float
    stance_squared: float
    stance_present: float
    present_squared: float


def stance_interval(sums: StanceSums) -> tuple[float, float]:
    """Returns the 95% interval of the share of a stance: Wilson's at the effective size, clustered by article.

    The variance is that of a ratio over articles, but at least that of paragraphs drawn at random: scores near the
    share hide how far the paragraphs themselves differ. Student's t counts as many articles as, with equally many
    paragraphs each, would say as much. It does not cover the errors of the classifier: neither stances
    that it mistakes for others on average, nor paragraphs that it wrongly calls present.
    """
    share, size = sums.stance / sums.present, sums.present
    deviations = sums.stance_squared - 2 * share * sums.stance_present + share**2 * sums.present_squared
    clustered = max(0.0, deviations) / size**2 * sums.articles / max(1, sums.articles - 1)
    at_random = share * (1 - share) / size
    if clustered > at_random > 0:
        size *= at_random / clustered
    quantile = t_quantile(max(1, round(sums.present**2 / sums.present_squared) - 1))
    spread = quantile**2 / size
    middle = (share + spread / 2) / (1 + spread)
    half = quantile / (1 + spread) * np.sqrt(share * (1 - share) / size + spread / (4 * size))
    return max(0.0, min(share, float(middle - half))), min(1.0, max(share, float(middle + half)))


def _influences(population: Sums, coded: CodedUnits) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns how far each coded article (g,) moves the estimate: by its labels and, per unit of lambda, its scores."""
    total = coded.weight.sum()
    label_mean = (coded.weight * coded.label).sum() / total
    score_mean = (coded.weight * coded.score).sum() / total
    by_label = _per_article(coded, coded.weight * (coded.label - label_mean) / total)
    by_score = _per_article(coded, coded.weight * (coded.score - score_mean) / total)
    return by_label, _in_population(population, coded) - by_score


def _in_population(population: Sums, coded: CodedUnits) -> NDArray[np.float64]:
    if not population.size:
        return np.zeros(coded.articles)
    return np.asarray((coded.article_scores - population.mean_score * coded.article_sizes) / population.size)


def _per_article(coded: CodedUnits, values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.bincount(coded.article, weights=values, minlength=coded.articles).astype(np.float64)


def _score_variance(population: Sums, coded: CodedUnits, by_score: NDArray[np.float64]) -> float:
    """Returns the factor of lambda^2; articles without labels count only through the sums of the population."""
    uncoded = population.squared_deviations - float((_in_population(population, coded) ** 2).sum())
    return max(0.0, uncoded) + float((by_score**2).sum())


def _best_tuning(
    population: Sums, coded: CodedUnits, by_label: NDArray[np.float64], by_score: NDArray[np.float64]
) -> float:
    spread = _score_variance(population, coded, by_score)
    # `max` returns its first argument for -0.0, which files would show as "-0.0".
    return min(1.0, max(0.0, -float((by_label * by_score).sum()) / spread)) if spread > 0 else 0.0


def _variance(
    population: Sums, coded: CodedUnits, by_label: NDArray[np.float64], by_score: NDArray[np.float64], tuning: float
) -> float:
    variance = float((by_label**2).sum() + 2 * tuning * (by_label * by_score).sum())
    variance += tuning**2 * _score_variance(population, coded, by_score)
    articles = coded.effective_articles
    return max(variance, 0.0) * (articles / (articles - 1) if articles > 1 else 1.0)


@lru_cache(maxsize=10_000)
def t_quantile(freedom: float) -> float:
    """Returns how many standard errors an interval reaches to either side (Student's t)."""
    from scipy.special import stdtrit  # noqa: PLC0415 - 25 MiB that only corrected shares need

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def _with_interval(value: float, variance: float, coded: CodedUnits, tuning: float) -> Share:
    n = len(coded)
    # Labels that all agree would suggest certainty: no interval is narrower than a further error would make it.
    variance = max(variance, 1.0 / n**2)
    quantile = t_quantile(max(1.0, coded.effective_articles - 1))
    centre = min(max(value, 0.5 / n), 1 - 0.5 / n)
    effective = centre * (1 - centre) / variance
    spread = quantile**2 / effective
    middle = (centre + spread / 2) / (1 + spread)
    half = quantile / (1 + spread) * np.sqrt(variance + (quantile / effective) ** 2 / 4)
    value = min(max(value, 0.0), 1.0)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Share(value, min(float(low), value), max(float(high), value), float(np.sqrt(variance)), tuning)
