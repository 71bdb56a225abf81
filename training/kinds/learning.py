"""Heads learned from nothing on the vectors of the shipped encoder, for a codebook that the base does not know."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from threadpoolctl import threadpool_limits

from labels.annotations import SPECIFIED_STANCES, CodedParagraph
from labels.codebook import Codebook
from training.challenger import Challenger, Fitted, calibrate, describe
from training.cross_validation import LeftOut, ReportProgress, assign_folds, no_progress
from training.dataset import Dataset, build_dataset, require_trainable
from training.encoder.heads import (
    Array,
    Heads,
    choose_pull,
    fit_pulled,
    fit_separately,
    from_nothing,
    left_out_logits,
    of_choice,
    of_presence,
    side_by_side,
)
from training.encoder.vectors import VectorStore
from training.evaluation import Evaluation, evaluate
from training.fold_models import fit_folds, fold_facts
from training.model_card import EncoderFacts
from training.pipeline import linear_pipeline
from training.registry.learned import digests_of, learned_by_base
from training.scoring.operating_points import Cut, OperatingPoint, above_threshold
from training.stances import fit_calibration, stances_learnable


def learn_heads(
    paragraphs: Sequence[CodedParagraph],
    codebook: Codebook,
    encoder: EncoderFacts,
    vectors: VectorStore,
    *,
    seed: int,
    note: str = "",
    progress: ReportProgress = no_progress,
) -> Challenger:
    """Fits heads to all but the held-out articles, calibrates them on sources left out and evaluates on both.

    Raises `TrainingDataError` where a frame has too few annotations.
    """
    dataset = build_dataset(paragraphs, codebook)
    require_trainable(dataset)
    means = vectors.means(encoder.digest, list(dataset.texts), lambda share: progress("encode paragraphs", share))
    held_out = dataset.held_out
    with threadpool_limits(limits=1):
        heads, fitted, pulls = fit_heads(means[~held_out], dataset.take(~held_out), seed, progress)
    progress("evaluate", 0.0)
    card = describe(paragraphs, dataset, codebook, fitted, {"pull": pulls}, seed=seed, note=note)
    card = replace(card, encoder=encoder)
    if held_out.any():
        card = replace(card, held_out=held_out_figures(heads, fitted.cuts, means[held_out], dataset.take(held_out)))
    progress("evaluate", 1.0)
    learned = learned_by_base(encoder.kind) | digests_of(dataset.texts[~held_out])
    return Challenger(fitted.pipeline, card, fitted.left_out, learned)


def fit_heads(
    vectors: Array, training: Dataset, seed: int, progress: ReportProgress
) -> tuple[Heads, Fitted, dict[str, float]]:
    """Fits heads to n vectors (n, d): returns them calibrated, what is known about them, and the pulls.

    Callers limit the threads of sums.
    """
    how, folds = assign_folds(training)
    (heads, *fold_heads), pull, logits = _fit_frames(vectors, training, folds, lambda share: progress(how, share))
    left_out, pulls = LeftOut(how, logits, folds, None), {"frames": pull}
    calibration, cuts = calibrate(training, left_out)
    slopes, offsets = (np.array(column) for column in zip(*calibration.values(), strict=True))
    heads, *fold_heads = (head.calibrated(slopes, offsets) for head in (heads, *fold_heads))
    stances = SPECIFIED_STANCES if stances_learnable(training) else ()
    progress("fit", 0.0)
    if stances:
        of_stances, pulls["stances"], stance_logits = fit_stances(vectors, training, folds)
        left_out = replace(left_out, stances=stance_logits)
        heads = side_by_side([heads, of_stances])
    heads = side_by_side([heads, *fold_heads])
    folds_known = fold_facts(training, expit(left_out_logits(fold_heads, vectors, training.folds)))
    progress("fit", 1.0)
    pipeline = linear_pipeline(heads.coefficients, heads.intercepts, seed)
    return heads, Fitted(pipeline, calibration, cuts, stances, left_out, folds_known), pulls


def _fit_frames(
    vectors: Array, training: Dataset, folds: NDArray[np.int64], progress: Callable[[float], None]
) -> tuple[list[Heads], float, Array]:
    """Returns heads and those of the fold models, their common pull towards nothing, log-odds without each fold."""
    targets = training.known_targets

    def fit(part: Array, part_targets: Array, pull: float) -> Heads:
        return fit_separately(part, part_targets, from_nothing(part.shape[1], part_targets), pull)

    pull, logits = choose_pull(vectors, targets, folds, fit, of_presence, progress)
    heads = fit(vectors, targets, pull)
    fold_heads = fit_folds(training.folds, heads, lambda rows: fit(vectors[rows], targets[rows], pull))
    return [heads, *fold_heads], pull, logits


def fit_stances(vectors: Array, training: Dataset, folds: NDArray[np.int64]) -> tuple[Heads, float, Array]:
    """Returns calibrated heads of the stances of all frames, their pull and their log-odds (n, k, s) without each fold.

    All frames share the weights of a stance; each frame has intercepts of its own, as columns beside the vectors.
    """
    rows, frames, stances = training.coded_stances
    count, size = len(training.frames), len(SPECIFIED_STANCES)
    length = float(np.sqrt(((vectors - vectors.mean(axis=0)) ** 2).sum(axis=1).mean())) or 1.0
    design = np.hstack([vectors[rows], length * np.eye(count)[frames]])
    choices = np.eye(size)[stances]

    def fit(part: Array, part_choices: Array, pull: float) -> Heads:
        return fit_pulled(part, part_choices, from_nothing(part.shape[1], part_choices), pull, of_choice)

    pull, logits = choose_pull(design, choices, folds[rows], fit, of_choice)
    slope, offsets = fit_calibration(logits, stances)
    shared = fit(design, choices, pull).calibrated(np.full(size, slope), offsets)
    weights, by_frame = shared.coefficients[:-count], shared.coefficients[-count:]
    heads = [Heads(weights, shared.intercepts + length * by_frame[frame]) for frame in range(count)]
    by_paragraph = np.zeros((len(training), count, size))
    by_paragraph[rows, frames] = logits
    return side_by_side(heads), pull, by_paragraph


def held_out_figures(
    heads: Heads, cuts: Mapping[OperatingPoint, Mapping[str, Cut]], vectors: Array, judged: Dataset
) -> Evaluation:
    """Returns the figures of heads at balanced thresholds on n paragraphs of held-out articles, vectors (n, d)."""
    scores = expit(heads.logits(vectors)[:, : len(judged.frames)])
    decisions = above_threshold(scores, [cuts["balanced"][frame] for frame in judged.frames])
    return evaluate(
        "held-out articles", judged.frames, scores, decisions, judged.targets, judged.articles, weights=judged.weights
    )
