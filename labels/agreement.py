"""Agreement between coders, per frame: Krippendorff's alpha with a bootstrap interval, and percent agreement.

Alpha: Krippendorff, K. (2011), "Computing Krippendorff's Alpha-Reliability", University of Pennsylvania.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labels.annotations import ADJUDICATOR, STANCES, UNSPECIFIED, Annotation, CodedParagraph
from labels.codebook import Codebook

# The value of a unit that a coder did not code.
MISSING = -1

# Krippendorff, K. (2004), "Content Analysis": data with an alpha of 0.800 or more are reliable; from 0.667 they allow
# tentative conclusions, and below that none.
RELIABLE = 0.8
TENTATIVE = 0.667


@dataclass(frozen=True, slots=True)
class FrameAgreement:
    """How far the coders agree on a frame.

    `alpha` is None where it is undefined, because no paragraph has two coders or all decisions are the same.
    `interval` is the 95% interval of alpha and `percent` the share of coder pairs that agree, from 0 to 1.
    """

    frame: str
    alpha: float | None
    interval: tuple[float, float] | None
    percent: float | None
    coders: int
    paragraphs: int

    @property
    def reading(self) -> str:
        """Krippendorff's reading of alpha: reliable, tentative, unreliable or undefined."""
        if self.alpha is None:
            return "undefined"
        return "reliable" if self.alpha >= RELIABLE else "tentative" if self.alpha >= TENTATIVE else "unreliable"


@dataclass(frozen=True, slots=True)
class Differences:
    """The frames on which the coders of a paragraph differ.

    `presence`: some see the frame, others decided that it is absent. `stance`: all who decided see it, with different
    stances; a stance that a coder did not specify differs from none.
    """

    presence: frozenset[str]
    stance: frozenset[str]

    @property
    def frames(self) -> frozenset[str]:
        """The frames of either kind."""
        return self.presence | self.stance


def differences(annotations: Sequence[Annotation]) -> Differences:
    """Compares the annotations of a paragraph, frame by frame; only coders who decided about a frame count."""
    presence, stance = set(), set()
    for frame in {frame for annotation in annotations for frame in annotation.frames}:
        decisions = {annotation.frames.get(frame) for annotation in annotations if annotation.decides(frame)}
        if None in decisions and len(decisions) > 1:
            presence.add(frame)
        elif len(decisions - {UNSPECIFIED}) > 1:
            stance.add(frame)
    return Differences(frozenset(presence), frozenset(stance))


def coincidences(ratings: NDArray[np.int64], values: int) -> NDArray[np.float64]:
    """Returns the coincidence matrix of each unit, shape (units, values, values).

    `ratings` has shape (coders, units) with whole numbers from 0 to `values` - 1, or `MISSING`.
    Units with fewer than two ratings have no pairs; their matrices are zero.
    """
    counts = np.stack([(ratings == value).sum(axis=0) for value in range(values)], axis=1).astype(float)
    pairs = counts[:, :, None] * counts[:, None, :]
    diagonal = np.arange(values)
    pairs[:, diagonal, diagonal] -= counts
    size = counts.sum(axis=1)
    return np.asarray(pairs / np.where(size > 1, size - 1, np.inf)[:, None, None])


def krippendorff_alpha(ratings: NDArray[np.int64]) -> float | None:
    """Returns the nominal alpha of `ratings`, shape (coders, units), whole numbers with `MISSING` for gaps.

    Returns None where alpha is undefined: with fewer than two paired values, or where all of them are the same.
    """
    values = int(ratings.max(initial=0)) + 1
    return _alpha(coincidences(ratings, values).sum(axis=0))


def _alpha(matrix: NDArray[np.float64]) -> float | None:
    totals = matrix.sum(axis=1)
    n = totals.sum()
    if n <= 1:
        return None
    expected = (n * n - (totals**2).sum()) / (n - 1)
    if expected <= 0:
        return None
    return float(1 - (n - np.trace(matrix)) / expected)


def percent_agreement(ratings: NDArray[np.int64]) -> float | None:
    """Returns the share of coder pairs within units that chose the same value, from 0 to 1; None without pairs."""
    values = int(ratings.max(initial=0)) + 1
    matrix = coincidences(ratings, values).sum(axis=0)
    return float(np.trace(matrix) / matrix.sum()) if matrix.sum() else None


def alpha_interval(
    ratings: NDArray[np.int64], clusters: Sequence[str], *, resamples: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Returns the 95% percentile interval of alpha, by resampling whole clusters (articles) of units.

    `clusters` names the cluster of each unit. Returns None where most resamples leave alpha undefined.
    """
    values = int(ratings.max(initial=0)) + 1
    names, membership = np.unique(np.asarray(clusters), return_inverse=True)
    by_cluster = np.zeros((len(names), values, values))
    np.add.at(by_cluster, membership, coincidences(ratings, values))
    draws = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    matrices = np.tensordot(draws, by_cluster, axes=1)
    alphas = [alpha for alpha in map(_alpha, matrices) if alpha is not None]
    if len(alphas) < resamples / 2:
        return None
    low, high = np.quantile(alphas, [0.025, 0.975])
    return float(low), float(high)


def agreement(
    paragraphs: Iterable[CodedParagraph],
    codebook: Codebook,
    *,
    exclude: Sequence[str] = (ADJUDICATOR,),
    resamples: int = 1000,
) -> tuple[FrameAgreement, ...]:
    """Measures the agreement on each frame over the paragraphs on which at least two coders decided about it.

    `exclude` names coders who saw the others' annotations (adjudicators): they are not independent.
    """
    independent = [(p, [a for a in p.annotations if a.coder not in exclude]) for p in paragraphs]
    shared = [(paragraph, annotations) for paragraph, annotations in independent if len(annotations) > 1]
    results = []
    for key in codebook.keys:
        decisions = [(p, {a.coder: int(key in a.frames) for a in coded if a.decides(key)}) for p, coded in shared]
        results.append(_measure(key, decisions, resamples))
    return tuple(results)


def stance_agreement(
    paragraphs: Iterable[CodedParagraph], codebook: Codebook, *, resamples: int = 1000
) -> tuple[FrameAgreement, ...]:
    """Measures the agreement on the stance of each frame, over paragraphs where two or more coders give it a stance."""
    results = []
    for key in codebook.keys:
        stances = [
            (
                p,
                {
                    a.coder: STANCES.index(a.frames[key])
                    for a in p.annotations
                    if a.frames.get(key, UNSPECIFIED) != UNSPECIFIED
                },
            )
            for p in paragraphs
        ]
        results.append(_measure(key, stances, resamples))
    return tuple(results)


def _measure(frame: str, coded: Sequence[tuple[CodedParagraph, Mapping[str, int]]], resamples: int) -> FrameAgreement:
    """Measures the agreement on paragraphs, each with the values of its coders, where these are two or more."""
    coded = [(paragraph, values) for paragraph, values in coded if len(values) > 1]
    coders = sorted({coder for _, values in coded for coder in values})
    rows = {coder: row for row, coder in enumerate(coders)}
    ratings = np.full((len(coders), len(coded)), MISSING, dtype=np.int64)
    for column, (_, values) in enumerate(coded):
        for coder, value in values.items():
            ratings[rows[coder], column] = value
    articles = [paragraph.article for paragraph, _ in coded]
    return FrameAgreement(
        frame=frame,
        alpha=krippendorff_alpha(ratings),
        interval=alpha_interval(ratings, articles, resamples=resamples) if coded else None,
        percent=percent_agreement(ratings),
        coders=len(coders),
        paragraphs=len(coded),
    )
