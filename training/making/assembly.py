"""Calibrates the heads of a fine-tuned encoder, with cuts and figures, on held-out articles.

Many of the annotated paragraphs were chosen because an early model thought a frame likely in them. So that calibration
and cuts hold for news as it comes, each paragraph of the held-out articles counts for as many paragraphs, coded or not,
as it stands for among all paragraphs of these articles (`training.reports.poststratification`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labels.annotations import SPECIFIED_STANCES
from training.calibration import fit_platt
from training.cross_validation import LeftOut, ReportProgress, calibrated_left_out, no_progress
from training.dataset import Dataset
from training.encoder.encoder import Encoder
from training.encoder.heads import Heads
from training.evaluation import Evaluation, StanceFigures, evaluate
from training.reports.poststratification import poststratified_weights
from training.scoring.operating_points import OPERATING_POINTS, Cut, OperatingPoint, above_threshold, fit_cuts
from training.stances import column_calibration, evaluate_stances

_HOW = "articles left out of fine-tuning, post-stratified"
_FOLDS = 5
_STEP = "encode the held-out articles"
_BATCH = 100


def vectors_of(encoder: Encoder, texts: Sequence[str], progress: ReportProgress = no_progress) -> NDArray[np.float32]:
    """Returns the mean vectors of n paragraphs, (n, d), and reports progress."""
    parts = [np.zeros((0, encoder.width), np.float32)]
    for start in range(0, len(texts), _BATCH):
        parts.append(encoder.means(texts[start : start + _BATCH]))
        progress(_STEP, min(1.0, (start + _BATCH) / len(texts)))
    return np.concatenate(parts)


@dataclass(frozen=True, eq=False)
class CalibratedHeads:
    """Calibrated heads of k frames and their stances, k + 3k columns, with their cuts and figures."""

    heads: Heads
    calibration: dict[str, tuple[float, float]]
    cuts: dict[OperatingPoint, dict[str, Cut]]
    left_out: Evaluation
    stances_left_out: StanceFigures


def calibrate(
    heads: Heads, judged: Dataset, vectors: NDArray[np.float32], population: NDArray[np.float32]
) -> CalibratedHeads:
    """Calibrates heads on n judged paragraphs, with vectors (n, d), from articles that the encoder never saw.

    `population` (m, d) are the vectors of the other paragraphs of these articles.
    """
    logits, count = heads.logits(vectors.astype(np.float64)), len(judged.frames)
    of_stances = logits[:, count:].reshape(len(logits), count, len(SPECIFIED_STANCES))
    weights = poststratified_weights(logits[:, :count], heads.logits(population.astype(np.float64))[:, :count])
    calibration = {
        frame: fit_platt(logits[:, k], judged.targets[:, k], weights[:, k]) for k, frame in enumerate(judged.frames)
    }
    of_frames = tuple(np.array(column) for column in zip(*calibration.values(), strict=True))
    both = zip(of_frames, column_calibration(judged, of_stances), strict=True)
    slopes, offsets = (np.concatenate(columns) for columns in both)
    folds = article_folds(judged)
    scores = calibrated_left_out(judged, LeftOut(_HOW, logits[:, :count], folds, None), weights)
    cuts = _cuts(scores, judged, weights)
    decisions = above_threshold(scores, [cuts["balanced"][frame] for frame in judged.frames])
    return CalibratedHeads(
        heads=heads.calibrated(slopes, offsets),
        calibration=calibration,
        cuts=cuts,
        left_out=evaluate(_HOW, judged.frames, scores, decisions, judged.targets, judged.articles, weights=weights),
        stances_left_out=evaluate_stances("articles left out of fine-tuning", judged, of_stances, folds),
    )


def article_folds(judged: Dataset) -> NDArray[np.int64]:
    """Returns the fold of each paragraph, (n,), by its article."""
    numbers = np.unique(judged.articles.astype(str), return_inverse=True)[1]
    return np.asarray(np.random.default_rng(0).permutation(numbers.max() + 1)[numbers] % _FOLDS, dtype=np.int64)


def _cuts(
    scores: NDArray[np.float64], judged: Dataset, weights: NDArray[np.float64]
) -> dict[OperatingPoint, dict[str, Cut]]:
    cuts: dict[OperatingPoint, dict[str, Cut]] = {point: {} for point in OPERATING_POINTS}
    for k, frame in enumerate(judged.frames):
        for point, cut in fit_cuts(scores[:, k], judged.targets[:, k], weights[:, k]).items():
            cuts[point][frame] = cut
    return cuts
