"""Annotations by week against a model: whether it declines, judged over all weeks at once.

If nothing has changed, it is chance which articles fell into which week. So the articles are dealt out anew to the
weeks, many times, each week getting as many as it has, and the F1 of each week is compared with what chance gives it
(a permutation test). A week is said to decline only if its F1, in standard deviations below the F1 of all weeks, lies
below what the worst of all weeks reaches in 95% of the deals (a test of the maximum, Westfall and Young 1993): with
stable news, one of the weeks is said to decline in 5% of the cases, however many weeks there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

_DEALS = 2000
_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Week:
    """The annotations of articles from a week, and the micro F1 of the model on them; None where it is undefined.

    `lowest` is the lowest F1 that chance explains, over all weeks at once; None where it cannot be said.
    """

    start: date
    articles: int
    f1: float | None
    lowest: float | None

    @property
    def declined(self) -> bool:
        """Whether F1 is lower than chance explains."""
        return self.f1 is not None and self.lowest is not None and self.f1 < self.lowest


def weekly(starts: Sequence[date], counts: NDArray[np.float64], *, seed: int = 0) -> tuple[float | None, list[Week]]:
    """Returns the micro F1 of all articles, and the weeks in order.

    Of n articles it takes the first day of their week, and the (weighted) numbers (n, 3) of frames that model and
    coders see, that only the model sees, and that only the coders see.
    """
    weeks = sorted(set(starts))
    membership = np.array([weeks.index(start) for start in starts], dtype=np.int64)
    sizes = np.bincount(membership, minlength=len(weeks))
    f1 = _by_week(counts, membership, len(weeks))
    whole = _f1(counts.sum(axis=0)) if len(counts) else np.float64(np.nan)
    lowest = np.full(len(weeks), np.nan)
    if len(weeks) > 1:
        generator = np.random.default_rng(seed)
        dealt = np.array([_by_week(counts, generator.permutation(membership), len(weeks)) for _ in range(_DEALS)])
        lowest = _lowest(dealt)
    known = [None if np.isnan(value) else float(value) for value in f1]
    bounds = [None if np.isnan(value) else float(value) for value in lowest]
    rows = zip(weeks, sizes.tolist(), known, bounds, strict=True)
    return None if np.isnan(whole) else float(whole), [Week(*row) for row in rows]


def _lowest(dealt: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the lowest F1 that chance explains in each of k weeks, (k,), from those of the deals (n, k)."""
    known = ~np.isnan(dealt)
    count = known.sum(axis=0)
    values = np.where(known, dealt, 0.0)
    mean = values.sum(axis=0) / np.maximum(count, 1)
    spread = np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / np.maximum(count, 1))
    usable = (spread > 0) & (count > 0)
    if not usable.any():
        return np.full(dealt.shape[1], np.nan)
    scaled = np.where(known, dealt - mean, 0.0)[:, usable] / spread[usable]
    bound = np.quantile(scaled.min(axis=1), _LEVEL)
    # No F1 lies below 0, so where the bound does, no F1 is lower than chance explains.
    return np.where(usable, np.maximum(mean + bound * spread, 0.0), np.nan)


def _by_week(counts: NDArray[np.float64], membership: NDArray[np.int64], weeks: int) -> NDArray[np.float64]:
    columns = [np.bincount(membership, weights=counts[:, column], minlength=weeks) for column in range(3)]
    return _f1(np.stack(columns, axis=1))


def _f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns F1, NaN where no frame is seen by anybody, from hits, false alarms and misses (..., 3)."""
    total = 2 * counts[..., 0] + counts[..., 1] + counts[..., 2]
    return np.asarray(np.divide(2 * counts[..., 0], total, out=np.full(total.shape, np.nan), where=total > 0))
