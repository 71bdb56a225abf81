"""Training a challenger: from annotated paragraphs to a calibrated and evaluated model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.pipeline import Pipeline

from labels.agreement import agreement
from labels.annotations import SPECIFIED_STANCES, CodedParagraph, Stance
from labels.codebook import Codebook
from labels.language import detect_language
from training.calibration import fit_platt
from training.cross_validation import (
    LeftOut,
    ReportProgress,
    evaluate_left_out,
    evaluate_left_out_stances,
    leave_out,
    no_progress,
)
from training.dataset import Dataset, build_dataset, data_digest, require_trainable
from training.evaluation import Evaluation, evaluate, evaluate_baselines
from training.hyperparameters import Hyperparameters
from training.model_card import DataFacts, ModelCard
from training.pipeline import fit, fold_in
from training.promotion import Verdict, compare, first_model_verdict
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import OPERATING_POINTS, Cut, OperatingPoint, above_threshold, fit_cuts
from training.stances import column_calibration

DEFAULT_SEED = 20260101


@dataclass(frozen=True, slots=True)
class Challenger:
    """A trained model that is not registered yet. The figures on sources left out derive from `left_out`."""

    pipeline: Pipeline
    card: ModelCard
    left_out: LeftOut | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibrated pipeline, its calibration and cuts, and the log-odds of sources left out that they derive from."""

    pipeline: Pipeline
    calibration: dict[str, tuple[float, float]]
    cuts: dict[OperatingPoint, dict[str, Cut]]
    stances: tuple[Stance, ...]
    left_out: LeftOut


def train_challenger(
    paragraphs: Sequence[CodedParagraph],
    codebook: Codebook,
    *,
    hyperparameters: Hyperparameters | None = None,
    seed: int = DEFAULT_SEED,
    note: str = "",
    progress: ReportProgress = no_progress,
    jobs: int | None = None,
) -> Challenger:
    """Fits on all but the held-out articles, calibrates on sources left out and evaluates on both.

    Raises `TrainingDataError` where a frame has too few annotations.
    """
    hyperparameters = hyperparameters or Hyperparameters()
    dataset = build_dataset(paragraphs, codebook)
    require_trainable(dataset)
    held_out = dataset.held_out
    training, judged = dataset.take(~held_out), dataset.take(held_out)
    fitted = fit_calibrated(training, hyperparameters, seed, progress, jobs)
    progress("evaluate", 0.0)
    card = describe(paragraphs, dataset, codebook, fitted, hyperparameters.as_dict(), seed=seed, note=note)
    progress("evaluate", 1.0)
    if len(judged):
        card = replace(card, held_out=evaluate_held_out(FrameModel.of(fitted.pipeline, card), judged))
    return Challenger(fitted.pipeline, card, fitted.left_out)


def describe(
    paragraphs: Sequence[CodedParagraph],
    dataset: Dataset,
    codebook: Codebook,
    fitted: Fitted,
    hyperparameters: Mapping[str, Any],
    *,
    seed: int,
    note: str,
) -> ModelCard:
    """Returns the card of a model that was fitted to all but the held-out articles, without figures on those.

    dataset: built from the paragraphs.
    """
    held_out = dataset.held_out
    training, judged = dataset.take(~held_out), dataset.take(held_out)
    return ModelCard(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        codebook_name=codebook.name,
        codebook_version=codebook.version,
        frames={frame.key: frame.title for frame in codebook.frames},
        languages=_languages(training),
        data=data_facts(paragraphs, dataset),
        hyperparameters=hyperparameters,
        seed=seed,
        calibration=fitted.calibration,
        cuts=fitted.cuts,
        left_out=evaluate_left_out(training, fitted.left_out),
        stances=fitted.stances,
        stances_left_out=evaluate_left_out_stances(training, fitted.left_out),
        held_out=None,
        baselines=evaluate_baselines(training, judged if len(judged) else training, codebook),
        agreement={result.frame: result.alpha for result in agreement(paragraphs, codebook, resamples=1)},
        note=note,
    )


def fit_calibrated(
    training: Dataset,
    hyperparameters: Hyperparameters,
    seed: int,
    progress: ReportProgress = no_progress,
    jobs: int | None = None,
    *,
    stances: bool = True,
) -> Fitted:
    """Fits on all paragraphs of `training`; calibration and cuts come from leaving parts of them out in turn.

    `stances=False` fits frames alone, in less than half of the time.
    """
    left_out = leave_out(training, hyperparameters, seed, progress, jobs, stances=stances)
    progress("fit", 0.0)
    pipeline = fit(training, hyperparameters, seed, stances=left_out.stances is not None)
    calibration, cuts = calibrate(training, left_out)
    slopes, offsets = (np.array(column) for column in zip(*calibration.values(), strict=True))
    if left_out.stances is not None:
        of_stances = column_calibration(training, left_out.stances)
        slopes, offsets = (np.concatenate(both) for both in zip((slopes, offsets), of_stances, strict=True))
    fold_in(pipeline, slopes, offsets)
    progress("fit", 1.0)
    return Fitted(pipeline, calibration, cuts, SPECIFIED_STANCES if left_out.stances is not None else (), left_out)


def evaluate_held_out(model: FrameModel, judged: Dataset) -> Evaluation:
    """Returns the figures of a model at its balanced thresholds on n paragraphs of held-out articles."""
    scores = model.score(list(judged.texts))
    decisions = _decisions(model, list(judged.texts), judged.frames)
    return evaluate(
        "held-out articles", judged.frames, scores, decisions, judged.targets, judged.articles, weights=judged.weights
    )


def judge(
    challenger: Challenger, champion: FrameModel | None, judged: Dataset, current_keys: Mapping[str, str] | None = None
) -> Verdict:
    """Compares a challenger with the champion on the same n held-out paragraphs, on the frames that both have.

    `current_keys` has today's key of frames that were renamed since the champion was trained.
    """
    if champion is None:
        return first_model_verdict()
    of_champion = {(current_keys or {}).get(key, key): key for key in champion.card.frames}
    both = [frame for frame in judged.frames if frame in of_champion]
    columns = [judged.frames.index(frame) for frame in both]
    changed = set(judged.frames) ^ set(of_champion)
    texts, coded = list(judged.texts), judged.coded[:, columns]
    # What nobody decided about is neither a hit nor a false alarm of either model.
    return compare(
        champion.card.version,
        both,
        judged.targets[:, columns],
        _decisions(champion, texts, [of_champion[frame] for frame in both]) & coded,
        _decisions(FrameModel.of(challenger.pipeline, challenger.card), texts, both) & coded,
        judged.articles,
        left_out_frames=sorted(changed),
    )


def _decisions(model: FrameModel, texts: list[str], frames: Sequence[str]) -> NDArray[np.bool_]:
    columns = [model.frames.index(frame) for frame in frames]
    return above_threshold(model.score(texts)[:, columns], [model.card.cuts["balanced"][frame] for frame in frames])


def calibrate(
    training: Dataset, left_out: LeftOut
) -> tuple[dict[str, tuple[float, float]], dict[OperatingPoint, dict[str, Cut]]]:
    """Returns slope and offset per frame, and the cuts per operating point and frame, from log-odds left out."""
    calibration: dict[str, tuple[float, float]] = {}
    cuts: dict[OperatingPoint, dict[str, Cut]] = {point: {} for point in OPERATING_POINTS}
    for k, frame in enumerate(training.frames):
        coded = training.coded[:, k]
        slope, offset = fit_platt(left_out.logits[coded, k], training.targets[coded, k])
        calibration[frame] = slope, offset
        scores = expit(slope * left_out.logits[coded, k] + offset)
        for point, cut in fit_cuts(scores, training.targets[coded, k]).items():
            cuts[point][frame] = cut
    return calibration, cuts


def _languages(training: Dataset) -> tuple[str, ...]:
    """Returns the languages of at least 5% of the articles, the commonest first."""
    first = dict(zip(training.articles[::-1], training.texts[::-1], strict=True))
    counts = Counter(detect_language(text).code for text in first.values())
    return tuple(code for code, count in counts.most_common() if count >= len(first) / 20)


def data_facts(paragraphs: Sequence[CodedParagraph], dataset: Dataset) -> DataFacts:
    """Returns what the card says of annotated paragraphs and of the dataset that was built of them."""
    held_out = dataset.held_out
    training, judged = dataset.take(~held_out), dataset.take(held_out)
    return DataFacts(
        digest=data_digest(paragraphs),
        paragraphs=len(training),
        articles=len(set(training.articles)),
        sources=tuple(sorted(set(training.sources))),
        held_out_articles=len(set(judged.articles)),
        unsettled=len(paragraphs) - len(dataset),
        carrying={frame: int(training.targets[:, k].sum()) for k, frame in enumerate(training.frames)},
    )
