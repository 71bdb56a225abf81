"""Fits how a model scores articles, to whole articles of which it is known which frames they carry.

Two parameters are fitted by maximum likelihood, with a pull towards the score of a single paragraph; the power is the
one with the best likelihood on articles left out. Cuts and calibration error come from scores of articles left out too.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from training.calibration import chance_calibration_error, expected_calibration_error
from training.scoring.article_score import ArticleFacts, article_logits, power_sums
from training.scoring.compiled import sigmoid
from training.scoring.operating_points import fit_cuts

# A power of 1 adds up odds; the higher it is, the more does the highest score decide alone.
POWERS = (1.0, 1.25, 1.5, 2.0, 3.0)
# An article that is said to carry a frame should do so in three of four cases. On other articles precision is a little
# lower than on those by which a threshold was chosen.
LEAST_PRECISION = 0.77
_FOLDS = 10
_PULL = 0.5


@dataclass(frozen=True, eq=False)
class ScoredArticles:
    """Of m whole articles: their names, scores of their n paragraphs (n, k), and where those of each begin, (m,).

    carried: whether each carries a frame, (m, k); weights: how many articles each stands for, (m,). An article that is
    there more than once, in different forms, has the same name each time.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float64]
    begins: NDArray[np.int64]
    carried: NDArray[np.bool_]
    weights: NDArray[np.float64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of paragraphs of each, (m,)."""
        return np.diff(np.append(self.begins, len(self.scores)))

    @property
    def folds(self) -> NDArray[np.int64]:
        """The fold of each, (m,), by its name."""
        digests = (hashlib.sha256(f"fold {name}".encode()).hexdigest() for name in self.names)
        return np.array([int(digest, 16) % _FOLDS for digest in digests], np.int64)


def fit_articles(articles: ScoredArticles, learned_from: str) -> ArticleFacts:
    """Returns the facts that describe best which articles carry a frame."""
    left_out = {power: _left_out(articles, power) for power in POWERS}
    carried, weights = articles.carried.ravel(), np.repeat(articles.weights, articles.carried.shape[1])
    power = min(POWERS, key=lambda power: _loss(left_out[power].ravel(), carried, weights))
    sharpness, accidents = _fit(articles, power, np.ones(len(articles.names), dtype=np.bool_))
    scores = sigmoid(left_out[power]).ravel()
    return ArticleFacts(
        power=power,
        sharpness=sharpness,
        accidents=accidents,
        cuts=fit_cuts(scores, carried, weights, least_precision=LEAST_PRECISION),
        articles=len(set(articles.names)),
        learned_from=learned_from,
        ece=expected_calibration_error(scores, carried, weights),
        chance_ece=chance_calibration_error(scores, weights),
    )


def left_out_scores(articles: ScoredArticles, power: float) -> NDArray[np.float64]:
    """Returns the scores (m, k) of articles, those of each fold with parameters fitted to the others."""
    return sigmoid(_left_out(articles, power))


def _left_out(articles: ScoredArticles, power: float) -> NDArray[np.float64]:
    """Returns log-odds (m, k) like `left_out_scores`."""
    sums, folds = power_sums(power, articles.scores, articles.begins), articles.folds
    logits = np.zeros(sums.shape)
    for fold in np.unique(folds):
        inside = folds == fold
        logits[inside] = article_logits(sums[inside], articles.sizes[inside], *_fit(articles, power, ~inside))
    return logits


def _fit(articles: ScoredArticles, power: float, chosen: NDArray[np.bool_]) -> tuple[float, float]:
    """Returns sharpness and accidents, fitted to the chosen articles, (m,)."""
    sums, sizes = power_sums(power, articles.scores, articles.begins)[chosen], articles.sizes[chosen]
    carried, weights = articles.carried[chosen].ravel(), np.repeat(articles.weights[chosen], sums.shape[1])

    def loss(parameters: NDArray[np.float64]) -> float:
        logits = article_logits(sums, sizes, *parameters).ravel()
        return _loss(logits, carried, weights) + _PULL * float((parameters**2).sum())

    # A sharpness below 0 could turn the order of long articles around.
    sharpness, accidents = minimize(loss, np.zeros(2), bounds=[(0.0, None), (None, None)]).x.tolist()
    return sharpness, accidents


def _loss(logits: NDArray[np.float64], carried: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    return float((weights * (np.logaddexp(0.0, logits) - carried * logits)).sum())


def articles_of(
    names: Sequence[str],
    scores: NDArray[np.float64],
    targets: NDArray[np.bool_],
    weights: dict[str, float] | None = None,
) -> ScoredArticles:
    """Returns the articles of n paragraphs, given the name of the article of each, scores and frames, (n, k) each.

    An article carries a frame if any of its paragraphs does. `weights` are by name; None means 1 each.
    """
    unique, numbers = np.unique(np.array(names, dtype=str), return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    sizes = np.bincount(numbers)
    begins = np.cumsum(sizes) - sizes
    return ScoredArticles(
        names=tuple(unique.tolist()),
        scores=scores[order],
        begins=begins,
        carried=np.logical_or.reduceat(targets[order], begins, axis=0),
        weights=np.array([1.0 if weights is None else weights[name] for name in unique.tolist()]),
    )
