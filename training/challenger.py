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
from training.dataset import FOLDS, Dataset, build_dataset, data_digest, is_held_out, require_trainable
from training.evaluation import Evaluation, evaluate, evaluate_baselines
from training.fold_models import fold_facts, of_own_fold
from training.hyperparameters import Hyperparameters
from training.model_card import DataFacts, FoldFacts, ModelCard
from training.pipeline import fit, fold_in, logits
from training.registry.base import article_facts_without_base
from training.registry.learned import Digests, digests_of
from training.scoring.frame_model import FrameModel
from training.scoring.operating_points import OPERATING_POINTS, Cut, OperatingPoint, above_threshold, fit_cuts
from training.stances import column_calibration

DEFAULT_SEED = 20260101


@dataclass(frozen=True, slots=True)
class Challenger:
    """A trained model that is not registered yet. The figures on sources left out derive from `left_out`.

    `learned` are the digests of the paragraphs that it learned from, those of its base among them.
    """

    pipeline: Pipeline
    card: ModelCard
    left_out: LeftOut | None = None
    learned: Digests = frozenset()


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibrated pipeline, its calibration and cuts, and the log-odds of sources left out that they derive from."""

    pipeline: Pipeline
    calibration: dict[str, tuple[float, float]]
    cuts: dict[OperatingPoint, dict[str, Cut]]
    stances: tuple[Stance, ...]
    left_out: LeftOut
    folds: FoldFacts | None = None


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
    fitted = fit_calibrated(training, hyperparameters, seed, progress, jobs, fold_models=True)
    progress("evaluate", 0.0)
    card = describe(paragraphs, dataset, codebook, fitted, hyperparameters.as_dict(), seed=seed, note=note)
    progress("evaluate", 1.0)
    if len(judged):
        card = replace(card, held_out=evaluate_held_out(FrameModel.of(fitted.pipeline, card), judged))
    return Challenger(fitted.pipeline, card, fitted.left_out, digests_of(training.texts))


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
        folds=fitted.folds,
        article=article_facts_without_base(),
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
    fold_models: bool = False,
) -> Fitted:
    """Fits on all paragraphs of `training`; calibration and cuts come from leaving parts of them out in turn.

    `stances=False` fits frames alone, in less than half of the time. With `fold_models` the pipeline has them too, and
    they are calibrated like the model itself.
    """
    left_out = leave_out(training, hyperparameters, seed, progress, jobs, stances=stances)
    progress("fit", 0.0)
    pipeline = fit(training, hyperparameters, seed, stances=left_out.stances is not None, fold_models=fold_models)
    calibration, cuts = calibrate(training, left_out)
    of_frames = [np.array(column) for column in zip(*calibration.values(), strict=True)]
    parts = [of_frames]
    if left_out.stances is not None:
        parts.append(list(column_calibration(training, left_out.stances)))
    parts += [of_frames] * (FOLDS * fold_models)
    fold_in(pipeline, *(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    progress("fit", 1.0)
    stances_known = SPECIFIED_STANCES if left_out.stances is not None else ()
    fitted = Fitted(pipeline, calibration, cuts, stances_known, left_out)
    return replace(fitted, folds=_facts_of_folds(pipeline, training)) if fold_models else fitted


def _facts_of_folds(pipeline: Pipeline, training: Dataset) -> FoldFacts:
    """Returns the facts about the fold models of a pipeline of words, whose last columns they are."""
    columns = logits(pipeline, training.normalised)[:, -FOLDS * len(training.frames) :]
    by_fold = expit(columns.reshape(len(training), FOLDS, len(training.frames)))
    return fold_facts(training, of_own_fold(by_fold, training.articles.tolist()))


def evaluate_held_out(model: FrameModel, judged: Dataset) -> Evaluation:
    """Returns the figures of a model at its balanced thresholds on n paragraphs of held-out articles."""
    scores = model.score(list(judged.texts))
    decisions = _decisions(model, list(judged.texts), judged.frames)
    return evaluate(
        "held-out articles", judged.frames, scores, decisions, judged.targets, judged.articles, weights=judged.weights
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
        coders=_coders(paragraphs),
    )


def _coders(paragraphs: Sequence[CodedParagraph]) -> dict[str, int]:
    """Returns the number of paragraphs outside the held-out articles that each coder annotated, the most first."""
    counts = Counter(a.coder for p in paragraphs if not is_held_out(p.article) for a in p.annotations)
    return dict(counts.most_common())
