"""Regression of a frame on facts about its articles, with labels that annotations correct.

A regression on the decisions of a classifier is biased, however many paragraphs it has, because the errors depend on
what a paragraph is about. Design-based supervised learning (Egami, Hinck, Stewart and Wei 2023, arXiv:2306.04746)
regresses corrected labels instead:

    corrected label = score + R / probability * (label - score)

R is 1 where a paragraph was drawn with a known probability and annotated, else 0. The expectation of a corrected label
over the draws is the label, whatever the scores are like. The weights R / probability are scaled to 1 on average
(Hajek 1971), because not every drawn paragraph is annotated in the end. Coefficients solve the usual moment equations,
linear or logistic. Standard errors are those of the sandwich clustered by article, which also contain the chance of the
draws; intervals use Student's t for as many degrees of freedom as annotated articles exceed coefficients.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.errors import RegressionError
from training.estimates.prevalence import t_quantile
from training.scoring.compiled import sigmoid

Link = Literal["linear", "logistic"]

# Fitted probabilities closer to 0 or 1 than this belong to a coefficient that grows without end.
_EXTREME = 1e-6


@dataclass(frozen=True, slots=True)
class Sample:
    """n paragraphs: values of k terms (n, k), of which the first is 1 everywhere; and of each paragraph, (n,) each:

    its score, whether the model calls the frame present, its label in [0, 1] and the probability with which it came to
    be annotated (both NaN where no annotation corrects), and the number of its article.
    """

    terms: Sequence[str]
    design: NDArray[np.float64]
    score: NDArray[np.float64]
    decision: NDArray[np.float64]
    label: NDArray[np.float64]
    probability: NDArray[np.float64]
    article: NDArray[np.int64]

    @property
    def annotated(self) -> NDArray[np.bool_]:
        """Which paragraphs have a label that corrects, (n,)."""
        return ~(np.isnan(self.label) | np.isnan(self.probability))


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A coefficient with its 95% interval, and that of a regression on the decisions of the model, if it has one."""

    term: str
    coefficient: float
    standard_error: float
    low: float
    high: float
    raw_coefficient: float | None


def corrected_labels(sample: Sample) -> NDArray[np.float64]:
    """Returns the corrected label of each paragraph, (n,): its expectation is the label, it may lie outside [0, 1]."""
    annotated = sample.annotated
    weight = np.zeros(len(sample.score))
    weight[annotated] = 1 / sample.probability[annotated]
    weight *= len(weight) / weight.sum()
    return sample.score + weight * np.where(annotated, sample.label - sample.score, 0.0)


def regress(sample: Sample, link: Link) -> list[Coefficient]:
    """Estimates the coefficients of a regression; raises `RegressionError` if they are not determined."""
    # Terms of very different sizes, such as days, make the equations hard to solve: each is divided by its size.
    size = np.maximum(np.abs(sample.design).max(axis=0, initial=0.0), 1e-300)
    design = sample.design / size
    _require_full_rank(sample.terms, design)
    if not sample.annotated.any():
        raise RegressionError("No annotation corrects the scores: code paragraphs of the coding queue.")
    outcome = corrected_labels(sample)
    values = _solve(design, outcome, link)
    if values is None:
        raise RegressionError(
            "The logistic regression has no solution: for some values of the variables the corrected share is 0 or 1, "
            "or beyond. Use a linear regression, fewer categories or more annotations."
        )
    errors = np.sqrt(np.diag(_variance(design, sample.article, outcome, values, link))) / size
    uncorrected = _solve(design, sample.decision, link)
    values, half = values / size, _quantile(sample) * errors
    return [
        Coefficient(
            term,
            float(values[place]),
            float(errors[place]),
            float(values[place] - half[place]),
            float(values[place] + half[place]),
            None if uncorrected is None else float(uncorrected[place] / size[place]),
        )
        for place, term in enumerate(sample.terms)
    ]


def _quantile(sample: Sample) -> float:
    articles = len(np.unique(sample.article[sample.annotated]))
    return t_quantile(max(1, articles - len(sample.terms)))


def _fitted(design: NDArray[np.float64], values: NDArray[np.float64], link: Link) -> NDArray[np.float64]:
    predictor = design @ values
    return predictor if link == "linear" else sigmoid(predictor)


def _slopes(design: NDArray[np.float64], fitted: NDArray[np.float64], link: Link) -> NDArray[np.float64]:
    """Returns the derivative of the moments, (k, k), up to its sign."""
    if link == "linear":
        return design.T @ design
    return design.T @ (design * (fitted * (1 - fitted))[:, None])


def _solve(design: NDArray[np.float64], outcome: NDArray[np.float64], link: Link) -> NDArray[np.float64] | None:
    """Returns the coefficients (k,) at which outcome and fitted values agree on every term; None without a solution."""
    if link == "linear":
        return np.asarray(np.linalg.lstsq(design, outcome, rcond=None)[0])
    from scipy.optimize import root  # noqa: PLC0415 - only those who regress need it

    n = len(outcome)
    start = np.zeros(design.shape[1])
    mean = float(np.clip(outcome.mean(), 0.01, 0.99))
    start[0] = np.log(mean / (1 - mean))

    def moments(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(design.T @ (outcome - _fitted(design, values, link)) / n)

    def derivative(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return -_slopes(design, _fitted(design, values, link), link) / n

    solution = root(moments, start, jac=derivative, method="hybr")
    fitted = _fitted(design, solution.x, link)
    if not solution.success or min(fitted.min(), 1 - fitted.max()) < _EXTREME:
        return None
    return np.asarray(solution.x)


def _variance(
    design: NDArray[np.float64],
    article: NDArray[np.int64],
    outcome: NDArray[np.float64],
    values: NDArray[np.float64],
    link: Link,
) -> NDArray[np.float64]:
    """Returns the sandwich variance (k, k) clustered by article, with the usual correction for few articles."""
    fitted = _fitted(design, values, link)
    influences = design * (outcome - fitted)[:, None]
    n, k = design.shape
    articles = int(article.max()) + 1
    by_article = np.zeros((articles, k))
    np.add.at(by_article, article, influences)
    bread = np.linalg.inv(_slopes(design, fitted, link))
    correction = articles / (articles - 1) * (n - 1) / (n - k) if articles > 1 and n > k else 1.0
    return np.asarray(correction * bread @ (by_article.T @ by_article) @ bread)


def _require_full_rank(terms: Sequence[str], design: NDArray[np.float64]) -> None:
    """Raises `RegressionError`, naming the first term that those before it already determine."""
    norms = np.maximum(np.linalg.norm(design, axis=0), 1e-300)
    # The upper triangle of the whole has the norms of what each term adds to those before it on its diagonal.
    added = np.abs(np.diag(np.linalg.qr(design / norms, mode="r")))
    if len(added) < len(terms):
        raise RegressionError(f"There are {len(added)} paragraphs, fewer than the {len(terms)} coefficients.")
    for term, norm in zip(terms, added, strict=True):
        if norm < 1e-9:
            raise RegressionError(
                f"'{term}' says nothing that the variables before it do not say already, so its coefficient is not "
                "determined; leave out a variable."
            )
