"""Agreement between coders, per frame: Krippendorff's alpha with a bootstrap interval, and percent agreement.

Alpha: Krippendorff, K. (2011), "Computing Krippendorff's Alpha-Reliability", University of Pennsylvania.
Reading (Krippendorff 2004): 0.800 and above is reliable, from 0.667 tentative conclusions, below that none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labels.annotations import STANCES, CodedParagraph
from labels.codebook import Codebook

MISSING = -1
"""The value of a unit that a coder did not code."""


@dataclass(frozen=True, slots=True)
class FrameAgreement:
    """How far the coders agree on one frame. `alpha` is None where it is undefined: nobody's codes vary."""

    frame: str
    alpha: float | None
    interval: tuple[float, float] | None
    percent: float | None
    coders: int
    paragraphs: int

    @property
    def reading(self) -> str:
        if self.alpha is None:
            return "undefined"
        return "reliable" if self.alpha >= 0.8 else "tentative" if self.alpha >= 0.667 else "unreliable"


def coincidences(ratings: NDArray[np.int64], values: int) -> NDArray[np.float64]:
    """Coincidence matrix of each unit, shape (units, values, values).

    `ratings` has shape (coders, units) with whole numbers from 0 to `values` - 1, or `MISSING`.
    Units with fewer than two ratings pair nothing and contribute zeros.
    """
    counts = np.stack([(ratings == value).sum(axis=0) for value in range(values)], axis=1).astype(float)
    pairs = counts[:, :, None] * counts[:, None, :]
    diagonal = np.arange(values)
    pairs[:, diagonal, diagonal] -= counts
    size = counts.sum(axis=1)
    return np.asarray(pairs / np.where(size > 1, size - 1, np.inf)[:, None, None])


def krippendorff_alpha(ratings: NDArray[np.int64]) -> float | None:
    """Nominal alpha of `ratings`, shape (coders, units), whole numbers with `MISSING` for gaps.

    Returns None where alpha is undefined: fewer than two paired values, or all of them the same.
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
    """Share of coder pairs, within units, that gave the same value; None where nothing is paired."""
    values = int(ratings.max(initial=0)) + 1
    matrix = coincidences(ratings, values).sum(axis=0)
    return float(np.trace(matrix) / matrix.sum()) if matrix.sum() else None


def alpha_interval(
    ratings: NDArray[np.int64], clusters: Sequence[str], *, resamples: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """95% percentile interval of alpha by resampling whole clusters (articles) of units.

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
    exclude: Sequence[str] = ("adjudicator",),
    resamples: int = 1000,
) -> tuple[FrameAgreement, ...]:
    """Agreement per frame over paragraphs with at least two coders.

    `exclude` names coders who saw the others' codes (adjudicators): they are not independent.
    """
    shared = [(p, [a for a in p.annotations if a.coder not in exclude]) for p in paragraphs]
    shared = [(paragraph, codes) for paragraph, codes in shared if len(codes) > 1]
    return tuple(
        _measure(key, [(p, {a.coder: int(key in a.frames) for a in codes}) for p, codes in shared], resamples)
        for key in codebook.keys
    )


def stance_agreement(
    paragraphs: Iterable[CodedParagraph], codebook: Codebook, *, resamples: int = 1000
) -> tuple[FrameAgreement, ...]:
    """Agreement on the stance of each frame, over paragraphs where at least two coders give the frame a stance."""
    results = []
    for key in codebook.keys:
        stances = [
            (
                p,
                {
                    a.coder: STANCES.index(a.frames[key])
                    for a in p.annotations
                    if a.frames.get(key, "present") != "present"
                },
            )
            for p in paragraphs
        ]
        results.append(_measure(key, [(p, values) for p, values in stances if len(values) > 1], resamples))
    return tuple(results)


def _measure(frame: str, coded: Sequence[tuple[CodedParagraph, Mapping[str, int]]], resamples: int) -> FrameAgreement:
    """Agreement on paragraphs with the value that each coder gave."""
    coders = sorted({coder for _, values in coded for coder in values})
    row = {coder: number for number, coder in enumerate(coders)}
    ratings = np.full((len(coders), len(coded)), MISSING, dtype=np.int64)
    for column, (_, values) in enumerate(coded):
        for coder, value in values.items():
            ratings[row[coder], column] = value
    articles = [paragraph.article for paragraph, _ in coded]
    return FrameAgreement(
        frame=frame,
        alpha=krippendorff_alpha(ratings),
        interval=alpha_interval(ratings, articles, resamples=resamples) if coded else None,
        percent=percent_agreement(ratings),
        coders=len(coders),
        paragraphs=len(coded),
    )
