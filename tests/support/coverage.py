"""How often corrected shares are right over many repetitions of `tests.support.annotation_loop`."""

from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tests.support.annotation_loop import UNITS, Cells, Loop, Plan
from tests.support.simulated_news import FRAMES, true_shares
from training.estimates.prevalence import CONFIDENCE

# All weeks of a look at once.
BAND = 0.99
# A model that its base hardly holds knows by heart what it was trained on.
BY_HEART = Plan(weeks=1, articles=400, paragraphs_drawn=60, articles_drawn=40, retrained_after=(1,), pull=0.03)
HEAD = ["Look", "Unit", "Cells", "Coverage", "Mean width", "Coverage, not crossed", "Mean width, not crossed"]


@dataclass(frozen=True, eq=False)
class Coverage:
    """Whether the truth was in the interval and how wide that was, by repetition: NaN where no figure is shown.

    looks: names of the moments; outcomes: (repetitions, looks, 2, units, weeks, frames, 2), with cross-prediction
    first, and whether before how wide.
    """

    looks: tuple[str, ...]
    outcomes: NDArray[np.float64]

    def rows(self) -> list[list[str]]:
        """Cells under `HEAD`: over all weeks and frames of a look."""
        return [
            [
                name,
                unit,
                f"{self._counts(look, place).sum():,}",
                *self._cells(look, 0, place),
                *self._cells(look, 1, place),
            ]
            for place, unit in enumerate(UNITS)
            for look, name in enumerate(self.looks)
        ]

    def _cells(self, look: int, way: int, unit: int) -> list[str]:
        covered, width = np.nanmean(self.outcomes[:, look, way, unit], axis=(0, 1, 2))
        return [f"{covered:.1%}", f"{width:.3f}"]

    def _counts(self, look: int, unit: int) -> NDArray[np.int64]:
        """Number of cells that are shown in each week, (weeks,)."""
        return np.asarray((~np.isnan(self.outcomes[:, look, 0, unit, :, :, 0])).sum(axis=(0, 2)))

    def by_week(self, unit: int) -> list[list[str]]:
        """For each week, its coverage at each look; bold where it lies outside the band."""
        rows = []
        for week in range(self.outcomes.shape[4]):
            shown = [self.outcomes[:, look, 0, unit, week, :, 0] for look in range(len(self.looks))]
            rows.append([str(week + 1), *(self._in_band(values, look, unit) for look, values in enumerate(shown))])
        return rows

    def _in_band(self, values: NDArray[np.float64], look: int, unit: int) -> str:
        count = int((~np.isnan(values)).sum())
        if not count:
            return ""
        covered, (low, high) = float(np.nanmean(values)), band(count, int((self._counts(look, unit) > 0).sum()))
        return f"{covered:.1%}" if low <= covered <= high else f"**{covered:.1%}**"


def band(count: int, weeks: int) -> tuple[float, float]:
    """Returns the shares of so many cells between which, if 95% are right, those of all weeks lie with 99% (Sidak)."""
    from scipy.stats import binom

    outside = 1 - BAND ** (1 / weeks)
    low, high = binom.ppf([outside / 2, 1 - outside / 2], count, CONFIDENCE) / count
    return float(low), float(high)


def repetition(plan: Plan, seed: int) -> NDArray[np.float64]:
    """The outcomes of a repetition."""
    outcomes = np.full((len(looks(plan)), 2, len(UNITS), plan.weeks, len(FRAMES), 2), np.nan)
    with threadpool_limits(limits=1):
        loop = Loop(plan, seed)
        for look, (until, _) in enumerate(loop.run()):
            for way, scores in enumerate((loop.scores, loop.scores.uncrossed())):
                outcomes[look, way, :, :until] = _looked(Cells(loop, scores), until)
    return outcomes


def _looked(cells: Cells, until: int) -> NDArray[np.float64]:
    outcomes = np.full((len(UNITS), until, len(FRAMES), 2), np.nan)
    for (place, week, frame), truth in np.ndenumerate(np.stack(true_shares())[:, :until]):
        share = cells.share(UNITS[place], week, frame)
        if share is not None:
            outcomes[place, week, frame] = share.low <= truth <= share.high, share.high - share.low
    return outcomes


def looks(plan: Plan) -> tuple[str, ...]:
    """Names of the moments at which the loop stops."""
    around = [f"week {week}, {when}" for week in plan.retrained_after for when in ("before", "after")]
    return (*around, *(() if plan.weeks in plan.retrained_after else (f"week {plan.weeks}",)))


def measure(plan: Plan, repetitions: int, jobs: int) -> Coverage:
    """The coverage over so many repetitions."""
    outcomes = Parallel(n_jobs=jobs)(delayed(repetition)(plan, seed) for seed in range(repetitions))
    return Coverage(looks(plan), np.stack(outcomes))
