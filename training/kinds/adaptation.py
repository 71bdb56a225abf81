"""Adaptation: the heads of the base model, pulled from what the base has learned towards a user's own annotations.

A frame that few annotations carry keeps the base's head, and a frame that some carry keeps its cuts, so a few dozen
annotations seldom spoil a model that learned from thousands.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from training.cross_validation import LeftOut, ReportProgress, article_folds
from training.dataset import MIN_POSITIVE, Dataset
from training.encoder.heads import (
    PULLS,
    Array,
    Heads,
    choose_pull,
    fit_pulled,
    fit_separately,
    left_out_logits,
    of_choice,
    of_presence,
    side_by_side,
)
from training.fold_models import fit_folds, fold_facts
from training.model_card import FoldFacts
from training.registry.base import BaseModel
from training.scoring.operating_points import OPERATING_POINTS, Cut, OperatingPoint, fit_cuts
from training.stances import MIN_CODED

# Paragraphs that carry a frame from which on its head learns from them, as training from nothing needs them too.
CARRYING_FOR_HEADS = MIN_POSITIVE
# Paragraphs that carry a frame from which on its cuts are fitted to them.
CARRYING_FOR_CUTS = 50


@dataclass(frozen=True, eq=False)
class Adapted:
    """Heads of k frames and their stances after adaptation.

    pulls: the chosen pull of the frames together, and of the stances of each frame that has any of its own; left_out:
    log-odds of articles left out, from heads fitted without them. The heads of the fold models are among `heads`.
    """

    heads: Heads
    pulls: Mapping[str, float]
    left_out: LeftOut
    cuts: Mapping[OperatingPoint, Mapping[str, Cut]]
    folds: FoldFacts


def adapt(
    vectors: Array, training: Dataset, base: BaseModel, progress: ReportProgress, pull: float | None = None
) -> Adapted:
    """Adapts the base to n annotated paragraphs with vectors (n, d), which may be few.

    `pull` is that of the frames; None has cross-validation choose it.
    """
    count, size = len(training.frames), len(base.card.stances)
    known = Heads(base.coefficients, base.intercepts)
    how, folds = article_folds(training)
    pulls_tried = PULLS if pull is None else (pull,)
    (frames, *fold_heads), pull, logits = _adapt_frames(
        vectors, training, known.columns(slice(0, count)), folds, pulls_tried, lambda share: progress(how, share)
    )
    heads, pulls = [frames], {"frames": pull}
    stance_logits = np.zeros((len(training), count, size))
    for frame in range(count if size else 0):
        stances = known.columns(slice(count + frame * size, count + (frame + 1) * size))
        stance_logits[:, frame] = stances.logits(vectors)
        coded = training.stances[:, frame] >= 0
        if coded.sum() >= MIN_CODED and len(set(training.articles[coded])) > 1:
            choices = np.eye(size)[training.stances[coded, frame]]
            stances, pull, own_logits = _adapt_stances(vectors[coded], choices, folds[coded], stances)
            stance_logits[coded, frame], pulls[training.frames[frame]] = own_logits, pull
        heads.append(stances)
        progress("fit", (frame + 1) / count)
    heads += fold_heads
    if base.card.subject is not None:
        # What an article is about does not depend on whose annotations these are.
        heads.append(known.columns(slice(-1, None)))
    left_out = LeftOut(how, logits, folds, stance_logits if size else None)
    folds_known = fold_facts(
        training, expit(left_out_logits(fold_heads, vectors, training.folds)), _thresholds_of_the_base(training, base)
    )
    return Adapted(side_by_side(heads), pulls, left_out, _cuts(training, logits, base), folds_known)


def own_cuts(training: Dataset) -> NDArray[np.bool_]:
    """Whether enough paragraphs carry each of k frames to fit its cuts to them, (k,)."""
    return np.asarray(training.targets.sum(axis=0) >= CARRYING_FOR_CUTS)


def _thresholds_of_the_base(training: Dataset, base: BaseModel) -> dict[str, float]:
    """Returns the balanced thresholds that stay those of the base."""
    unchanged = zip(training.frames, ~own_cuts(training), strict=True)
    thresholds = {frame: base.card.cuts["balanced"][frame].threshold for frame, same in unchanged if same}
    return {frame: threshold for frame, threshold in thresholds.items() if threshold is not None}


def _adapt_frames(
    vectors: Array,
    training: Dataset,
    known: Heads,
    folds: NDArray[np.int64],
    pulls: Sequence[float],
    progress: Callable[[float], None],
) -> tuple[list[Heads], float, Array]:
    """Returns the heads of all frames and those of the fold models, their common pull, log-odds without each fold."""
    targets = training.known_targets

    def fit(part: Array, part_targets: Array, pull: float) -> Heads:
        return fit_separately(part, part_targets, known, pull, CARRYING_FOR_HEADS)

    pull, logits = choose_pull(vectors, targets, folds, fit, of_presence, progress, pulls)
    heads = fit(vectors, targets, pull)
    fold_heads = fit_folds(training.folds, heads, lambda rows: fit(vectors[rows], targets[rows], pull))
    return [heads, *fold_heads], pull, logits


def _adapt_stances(
    vectors: Array, choices: Array, folds: NDArray[np.int64], known: Heads
) -> tuple[Heads, float, Array]:
    """Returns the heads of the stances of a frame, their pull and their log-odds without each fold."""

    def fit(part: Array, part_choices: Array, pull: float) -> Heads:
        return fit_pulled(part, part_choices, known, pull, of_choice)

    pull, logits = choose_pull(vectors, choices, folds, fit, of_choice)
    return fit(vectors, choices, pull), pull, logits


def _cuts(training: Dataset, logits: Array, base: BaseModel) -> dict[OperatingPoint, dict[str, Cut]]:
    """Returns the base's cuts, with those of frames that are carried often fitted to their scores."""
    cuts = {point: dict(base.card.cuts[point]) for point in OPERATING_POINTS}
    for k in np.flatnonzero(own_cuts(training)):
        coded = training.coded[:, k]
        for point, cut in fit_cuts(expit(logits[coded, k]), training.targets[coded, k]).items():
            cuts[point][training.frames[k]] = cut
    return cuts
