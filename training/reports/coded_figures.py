"""Figures of a model on coded paragraphs, with their intervals: frames, stances, calibration, and groups.

All take weights, so that the same figures describe a random sample and a post-stratified population. Intervals are by
bootstrap over articles; the weights stay as they are in every resample.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.calibration import chance_calibration_error
from training.evaluation import Evaluation, Figure, StanceFigures, article_draws, evaluate, figure_of
from training.reports.coded_files import DescribedParagraph
from training.scoring.operating_points import OPERATING_POINTS, Cut, OperatingPoint, above_threshold
from training.validation import Judged

Cuts = Mapping[OperatingPoint, Mapping[str, Cut]]
GroupedBy = Literal["outlet", "genre", "topic"]

# A smaller outlet, genre or topic says little by itself and is counted among the others.
MIN_PARAGRAPHS = 30
MIN_CARRYING = 5
OTHERS = "others"

_FIELDS: dict[GroupedBy, Callable[[DescribedParagraph], str]] = {
    "outlet": lambda row: row.paragraph.source,
    "genre": lambda row: row.genre,
    "topic": lambda row: row.topic,
}


@dataclass(frozen=True, slots=True)
class FramesFigures:
    """Figures of the frames at each operating point, and what does not depend on the point.

    A frame is present from its threshold up, "uncertain" or not. `chance_ece` has for each frame the ECE that a
    calibrated model exceeds with a probability of 5 %. `carried` has for each frame the share of paragraphs that carry
    it, and `uncertain` the share that `balanced` leaves undecided; the last of both is among all frames.
    """

    points: Mapping[OperatingPoint, Evaluation]
    chance_ece: tuple[float, ...]
    carried: tuple[Figure, ...]
    uncertain: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Figures at `balanced` of the paragraphs of an outlet, a genre or a topic; `carrying` of them carry a frame."""

    grouped_by: GroupedBy
    name: str
    carrying: int
    evaluation: Evaluation


def frames_figures(how: str, judged: Judged, cuts: Cuts, weights: NDArray[np.float64] | None = None) -> FramesFigures:
    """Returns the figures of judged paragraphs, with weights (n, k)."""
    columns, weights = range(len(judged.frames)), judged.weighted(weights)
    return FramesFigures(
        points={point: _evaluated(f"{how}, at {point}", judged, cuts, weights, point) for point in OPERATING_POINTS},
        chance_ece=tuple(
            chance_calibration_error(judged.scores[:, k], None if weights is None else weights[:, k]) for k in columns
        ),
        carried=shares(judged.targets, judged.articles, weights),
        uncertain=shares(_undecided(judged, cuts["balanced"]), judged.articles, weights),
    )


def _evaluated(
    how: str, judged: Judged, cuts: Cuts, weights: NDArray[np.float64] | None, point: OperatingPoint
) -> Evaluation:
    decisions = above_threshold(judged.scores, [cuts[point][key] for key in judged.frames])
    if point == "balanced" and judged.fold_thresholds is not None:
        by_fold = ~np.isnan(judged.fold_thresholds)
        decisions[by_fold] = (judged.scores >= judged.fold_thresholds)[by_fold]
    weights = judged.weighted(weights)
    return evaluate(how, judged.frames, judged.scores, decisions, judged.targets, judged.articles, weights=weights)


def _undecided(judged: Judged, cuts: Mapping[str, Cut]) -> NDArray[np.bool_]:
    """Whether each score is decided "uncertain", (n, k)."""
    absent_below = np.array([cuts[key].absent_below for key in judged.frames])
    return (judged.scores >= absent_below) & ~decided_present(judged.scores, judged.frames, cuts)


def decided_present(scores: NDArray[np.float64], frames: Sequence[str], cuts: Mapping[str, Cut]) -> NDArray[np.bool_]:
    """Whether each score (n, k) is decided "present", so neither absent nor uncertain."""
    bounds = (cuts[key].present_from for key in frames)
    return scores >= np.array([np.inf if bound is None else bound for bound in bounds])


def shares(
    marks: NDArray[np.bool_], articles: NDArray[np.object_], weights: NDArray[np.float64] | None = None
) -> tuple[Figure, ...]:
    """Returns the share of marks (n, k) in each column and, at last, among all, with intervals by article, (n,)."""
    names, membership = np.unique(articles.astype(str), return_inverse=True)
    weights = np.ones(marks.shape) if weights is None else weights
    counts = np.zeros((len(names), marks.shape[1], 2))
    np.add.at(counts, membership, np.stack([marks * weights, weights], axis=2))
    counts = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
    total = counts.sum(axis=0)
    resampled = np.tensordot(article_draws(len(names), 0), counts, axes=1)
    values, spread = total[:, 0] / total[:, 1], resampled[..., 0] / resampled[..., 1]
    return tuple(figure_of(values[k], spread[:, k]) for k in range(len(values)))


def stances_figures(
    how: str, judged: Judged, known: Sequence[str], weights: NDArray[np.float64] | None = None
) -> StanceFigures | None:
    """Returns the figures of the stances of coded frames; None where no stance is coded that the model knows.

    Beside them the commonest stance of each frame, counted on the same paragraphs.
    """
    rows, frames, stances = judged.coded_stances(known)
    if not len(rows):
        return None
    counted = np.ones(len(rows)) if weights is None else weights[rows, frames]
    commonest = np.zeros((len(rows), len(known)))
    for frame in np.unique(frames):
        inside = frames == frame
        commonest[inside, np.bincount(stances[inside], counted[inside], minlength=len(known)).argmax()] = 1.0

    def figures(name: str, scores: NDArray[np.float64], chosen: NDArray[np.bool_]) -> Evaluation:
        indicator = np.eye(len(known), dtype=bool)
        repeated = np.repeat(counted[chosen, None], len(known), axis=1)
        decisions, targets = indicator[scores[chosen].argmax(axis=1)], indicator[stances[chosen]]
        articles = judged.articles[rows[chosen]]
        return evaluate(name, tuple(known), scores[chosen], decisions, targets, articles, weights=repeated)

    scores, everywhere = judged.stances[rows, frames], np.ones(len(rows), dtype=np.bool_)
    return StanceFigures(
        overall=figures(how, scores, everywhere),
        majority=figures("the commonest stance of the frame", commonest, everywhere),
        frames={judged.frames[frame]: figures(how, scores, frames == frame) for frame in np.unique(frames).tolist()},
    )


def groups_figures(
    judged: Judged,
    described: Sequence[DescribedParagraph],
    cuts: Cuts,
    weights: NDArray[np.float64] | None = None,
) -> tuple[GroupFigures, ...]:
    """Returns the figures by outlet, genre and topic, where the paragraphs (n,) differ in it, the largest first."""
    figures = []
    carrying = np.asarray(judged.targets.any(axis=1), dtype=np.bool_)
    for grouped_by, field in _FIELDS.items():
        names = np.array([field(row) for row in described], dtype=object)
        if len(set(names)) < 2:
            continue
        for name, chosen in _groups(names, carrying):
            part = None if weights is None else weights[chosen]
            evaluation = _evaluated(name, judged.take(chosen), cuts, part, "balanced")
            figures.append(GroupFigures(grouped_by, name, int(carrying[chosen].sum()), evaluation))
    return tuple(figures)


def _groups(names: NDArray[np.object_], carrying: NDArray[np.bool_]) -> list[tuple[str, NDArray[np.bool_]]]:
    """Returns the name and the paragraphs, (n,), of each group that is large enough, the largest first, then others."""
    groups = [(str(name), np.asarray(names == name, dtype=np.bool_)) for name in sorted(set(names)) if name]
    large = [
        (name, chosen)
        for name, chosen in groups
        if chosen.sum() >= MIN_PARAGRAPHS and carrying[chosen].sum() >= MIN_CARRYING
    ]
    large.sort(key=lambda group: -int(group[1].sum()))
    others = ~np.isin(names.astype(str), [name for name, _ in large])
    return [*large, *([(OTHERS, others)] if others.any() else [])]
