"""The score of an article: how probable it is that a coder finds a frame in it, given the scores of its paragraphs.

The odds of the n paragraphs are added up as a power sum, so that the highest counts most and others like it count too.
A long article collects accidents, and says more in sum than a short one: its log-odds are

    L (1 + sharpness · log n) − accidents · log n,   L = log(Σ odds ^ power) / power

With a single paragraph, that is the score of the paragraph. The score never falls where that of a paragraph rises. All
frames share the parameters, and the cuts, which are therefore defined for frames that were never seen in an article.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.scoring.compiled import sigmoid
from training.scoring.operating_points import Cut, OperatingPoint

# Log-odds of no score are further from 0, so that a score of exactly 0 or 1 has some.
_FURTHEST = 30.0


@dataclass(frozen=True, slots=True)
class ArticleFacts:
    """How a model scores articles: the parameters of the module's formula, and the cuts of the score.

    They were fitted to `articles` whole articles, described by `learned_from`. On articles left out, the calibration
    error is `ece`; that of a calibrated model exceeds `chance_ece` by chance in one sample of this size in twenty.
    """

    power: float
    sharpness: float
    accidents: float
    cuts: Mapping[OperatingPoint, Cut]
    articles: int
    learned_from: str
    ece: float
    chance_ece: float


def article_scores(facts: ArticleFacts | None, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the scores (k,) of an article, given those of its n >= 1 paragraphs, (n, k).

    Without facts, which the cards of earlier versions lack, they are the highest of its paragraphs.
    """
    return np.asarray(scores_of_articles(facts, scores, np.zeros(1, dtype=np.int64))[0])


def scores_of_articles(
    facts: ArticleFacts | None, scores: NDArray[np.float64], begins: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Returns the scores (m, k) of m articles, given those of their n paragraphs, (n, k), and where each begins."""
    if facts is None:
        return np.asarray(np.maximum.reduceat(scores, begins, axis=0))
    sizes = np.diff(np.append(begins, len(scores)))
    sums = power_sums(facts.power, scores, begins)
    return sigmoid(article_logits(sums, sizes, facts.sharpness, facts.accidents))


def power_sums(power: float, scores: NDArray[np.float64], begins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns L of the module's formula, (m, k), for m articles of n paragraphs with scores (n, k)."""
    with np.errstate(divide="ignore"):
        logits = np.clip(np.log(scores) - np.log1p(-scores), -_FURTHEST, _FURTHEST)
    return np.asarray(np.log(np.add.reduceat(np.exp(power * logits), begins, axis=0)) / power)


def article_logits(
    sums: NDArray[np.float64], sizes: NDArray[np.int64], sharpness: float, accidents: float
) -> NDArray[np.float64]:
    """Returns the log-odds (m, k) of m articles of so many paragraphs, (m,)."""
    length = np.log(sizes)[:, None]
    return np.asarray(sums * (1 + sharpness * length) - accidents * length)
