"""Operating points: where a score becomes a decision, and where the service says "uncertain" instead.

Each point has a threshold per frame, and bounds on two errors. The bounds hold by split conformal prediction
conditional on the true label (Vovk 2012, "Conditional validity of inductive conformal predictors"; the binary case of
Mondrian sets):

* missed: of the paragraphs that carry the frame, at most `max_missed` are called absent;
* false alarm: of the paragraphs that do not carry it, at most `max_false_alarm` are called present.

A score that would break either bound is "uncertain". The bounds hold for paragraphs exchangeable with those on which
the model was calibrated, on average over calibration sets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

OperatingPoint = Literal["balanced", "high_precision", "high_recall"]
OPERATING_POINTS: tuple[OperatingPoint, ...] = get_args(OperatingPoint)
Decision = Literal["present", "absent", "uncertain"]

# The precision that `high_precision` aims at and the recall that `high_recall` aims at.
TARGET = 0.9

_FEWEST_CALLED = 10

MAX_MISSED: dict[OperatingPoint, float] = {"balanced": 0.1, "high_precision": 0.1, "high_recall": 0.03}
MAX_FALSE_ALARM: dict[OperatingPoint, float] = {"balanced": 0.1, "high_precision": 0.03, "high_recall": 0.25}


@dataclass(frozen=True, slots=True)
class Cut:
    """How the scores of a frame become decisions at an operating point.

    Present from `present_from` up, absent below `absent_below`, uncertain between. `threshold` is None where no
    threshold reaches the point's target: then nothing is called present (`present_from` is None) at high_precision.
    """

    threshold: float | None
    absent_below: float
    present_from: float | None
    max_missed: float
    max_false_alarm: float
    precision: float | None
    recall: float | None

    @property
    def own(self) -> bool:
        """Whether it is a caller's own threshold, for which no bound is claimed."""
        return self.max_missed == 1.0


def fixed_cut(threshold: float) -> Cut:
    """Returns the cut at a caller's own threshold: nothing is uncertain, and no bound is claimed."""
    return Cut(threshold, threshold, threshold, 1.0, 1.0, None, None)


def above_threshold(scores: NDArray[np.float64], cuts: Sequence[Cut]) -> NDArray[np.bool_]:
    """Whether scores (n, k) reach the thresholds of k cuts: decisions without "uncertain", as F1 needs them."""
    return scores >= np.array([np.inf if cut.threshold is None else cut.threshold for cut in cuts])


def fit_cuts(
    scores: NDArray[np.float64],
    target: NDArray[np.bool_],
    weight: NDArray[np.float64] | None = None,
    *,
    least_precision: float = 0.0,
) -> dict[OperatingPoint, Cut]:
    """Fits the cuts of a frame to scores (n,) of sources left out and their gold labels (n,).

    `weight` (n,) says how many paragraphs each stands for; None means a paragraph each. Thresholds never cross:
    high_precision >= balanced >= high_recall. That of `balanced` is higher than the best where the precision would be
    lower than the least, if any threshold reaches it.
    """
    weight = np.ones(len(target)) if weight is None else weight
    ranking = _rank(scores, target, weight)
    balanced = _best_f1_threshold(ranking)
    if least_precision:
        balanced = max(balanced, _precise_threshold(ranking, least_precision) or 0.0)
    precise, recalling = _precise_threshold(ranking), _recalling_threshold(ranking)
    thresholds: dict[OperatingPoint, float | None] = {
        "balanced": balanced,
        "high_precision": None if precise is None else max(precise, balanced),
        "high_recall": min(recalling, balanced),
    }
    return {point: _cut(point, threshold, scores, target, weight) for point, threshold in thresholds.items()}


def _cut(
    point: OperatingPoint,
    threshold: float | None,
    scores: NDArray[np.float64],
    target: NDArray[np.bool_],
    weight: NDArray[np.float64],
) -> Cut:
    present_at_bound = _lowest_present(scores[~target], weight[~target], MAX_FALSE_ALARM[point])
    absent_at_bound = _highest_absent(scores[target], weight[target], MAX_MISSED[point])
    if threshold is None:
        # No threshold is precise enough: the frame is never asserted, only ruled out or left open.
        return Cut(None, absent_at_bound, None, MAX_MISSED[point], 0.0, None, None)
    present_from = max(threshold, present_at_bound)
    chosen = scores >= threshold
    hits = float(weight[chosen & target].sum())
    return Cut(
        threshold=threshold,
        absent_below=min(threshold, absent_at_bound),
        present_from=present_from if present_from <= 1 else None,
        max_missed=MAX_MISSED[point],
        max_false_alarm=MAX_FALSE_ALARM[point],
        precision=hits / float(weight[chosen].sum()) if chosen.any() else None,
        recall=hits / float(weight[target].sum()) if target.any() else None,
    )


def _highest_absent(carrying: NDArray[np.float64], weight: NDArray[np.float64], error: float) -> float:
    """Score below which at most `error` of the carrying paragraphs fall; 0 where there are too few to promise it."""
    order = np.argsort(carrying, kind="stable")
    rank = _rank_of_bound(weight[order], error)
    return float(carrying[order][rank - 1]) if rank >= 1 else 0.0


def _lowest_present(lacking: NDArray[np.float64], weight: NDArray[np.float64], error: float) -> float:
    """Score from which at most `error` of the lacking paragraphs lie; above 1 where there are too few to promise it."""
    order = np.argsort(-lacking, kind="stable")
    rank = _rank_of_bound(weight[order], error)
    return float(np.nextafter(lacking[order][rank - 1], 2.0)) if rank >= 1 else 2.0


def _rank_of_bound(weight: NDArray[np.float64], error: float) -> int:
    """How many of n paragraphs, in order and with weights (n,), an error may reach with a further paragraph to come."""
    if not len(weight):
        return 0
    return int(np.searchsorted(np.cumsum(weight), error * (weight.sum() + weight.mean()), side="right"))


def best_f1_threshold(scores: NDArray[np.float64], target: NDArray[np.bool_]) -> float:
    """Returns the threshold of the highest F1 for calibrated scores (n,): half of that F1.

    Lipton, Elkan and Naryanaswamy (2014), "Optimal thresholding of classifiers to maximize F1 measure". On sources left
    out it is as good as the threshold with the highest F1 in the sample, and far steadier from frame to frame.
    """
    return _best_f1_threshold(_rank(scores, target, np.ones(len(target))))


class _Ranking(NamedTuple):
    """Distinct scores from high to low and, down to each, the weight of carrying and of all paragraphs, and how many.

    All of shape (distinct scores,).
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.float64]
    called: NDArray[np.float64]
    paragraphs: NDArray[np.int64]


def _rank(scores: NDArray[np.float64], target: NDArray[np.bool_], weight: NDArray[np.float64]) -> _Ranking:
    ranked, first = np.unique(-scores, return_inverse=True)
    hits, called = (np.cumsum(np.bincount(first, weights.astype(float))) for weights in (weight * target, weight))
    return _Ranking(-ranked, hits.astype(np.float64), called.astype(np.float64), np.cumsum(np.bincount(first)))


def _best_f1_threshold(ranking: _Ranking) -> float:
    return float((2 * ranking.hits / (ranking.called + ranking.hits[-1])).max() / 2)


def _recalling_threshold(ranking: _Ranking) -> float:
    """Returns the highest threshold at which recall reaches the target."""
    reached = np.flatnonzero(ranking.hits >= TARGET * ranking.hits[-1])
    return _between(ranking.scores, int(reached[0]))


def _precise_threshold(ranking: _Ranking, target: float = TARGET) -> float | None:
    """Returns the lowest threshold at which precision reaches the target; None where no threshold does.

    A handful of lucky paragraphs is not evidence of precision: at least ten must be called.
    """
    reached = np.flatnonzero((ranking.hits >= target * ranking.called) & (ranking.paragraphs >= _FEWEST_CALLED))
    return _between(ranking.scores, int(reached[-1])) if len(reached) else None


def _between(ranked: NDArray[np.float64], place: int) -> float:
    """Half way between a score and the next lower score, so that rounding cannot move the paragraph across."""
    below = ranked[place + 1] if place + 1 < len(ranked) else 0.0
    return float((ranked[place] + below) / 2)
