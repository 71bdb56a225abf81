"""`framing evaluate` of the pipeline: judged on sources left out and on held-out articles, beside the baselines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed

from labels.annotations import CodedParagraph
from labels.codebook import Codebook
from training.challenger import DEFAULT_SEED, Challenger, evaluate_held_out, fit_calibrated, train_challenger
from training.cross_validation import LeftOut, ReportProgress, calibrated_left_out, left_out_decisions, no_progress
from training.dataset import Dataset, build_dataset
from training.evaluation import Evaluation, Figure, StanceFigures, evaluate, evaluate_baselines
from training.hyperparameters import Hyperparameters
from training.model_card import ModelCard
from training.scoring.frame_model import FrameModel

_CURVE_SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
_CURVE_REPEATS = 3
_FEWEST_CARRYING = 3


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Held-out macro F1 of models trained on about `paragraphs` paragraphs: mean and range of the repeats."""

    paragraphs: int
    macro_f1: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class SourceFigure:
    """Macro F1 on a source, by models that never saw it."""

    source: str
    paragraphs: int
    macro_f1: Figure


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Everything that `framing evaluate` shows."""

    frames: dict[str, str]
    colours: dict[str, str]
    paragraphs: int
    articles: int
    left_out: Evaluation
    held_out: Evaluation | None
    stances: StanceFigures | None
    baselines_left_out: tuple[Evaluation, ...]
    by_source: tuple[SourceFigure, ...]
    learning_curve: tuple[CurvePoint, ...]


def evaluate_pipeline(
    paragraphs: Sequence[CodedParagraph],
    codebook: Codebook,
    *,
    hyperparameters: Hyperparameters | None = None,
    seed: int = DEFAULT_SEED,
    progress: ReportProgress = no_progress,
    jobs: int | None = None,
) -> EvaluationReport:
    """Trains and evaluates as `train_challenger` does, and adds sources, baselines and the learning curve.

    Raises `TrainingDataError` where a frame has too few annotations.
    """
    challenger = train_challenger(
        paragraphs, codebook, hyperparameters=hyperparameters, seed=seed, progress=progress, jobs=jobs
    )
    return report_of(challenger, paragraphs, codebook, progress=progress, jobs=jobs)


def report_of(
    challenger: Challenger,
    paragraphs: Sequence[CodedParagraph],
    codebook: Codebook,
    *,
    progress: ReportProgress = no_progress,
    jobs: int | None = None,
) -> EvaluationReport:
    """Returns the evaluation of a challenger on the paragraphs that it was trained and judged on."""
    card, dataset = challenger.card, build_dataset(paragraphs, codebook)
    held_out = dataset.held_out
    training, judged = dataset.take(~held_out), dataset.take(held_out)
    return EvaluationReport(
        frames={frame.key: frame.title for frame in codebook.frames},
        colours=dict(codebook.colours),
        paragraphs=len(dataset),
        articles=len(set(dataset.articles)),
        left_out=card.left_out,
        held_out=card.held_out,
        stances=card.stances_left_out,
        baselines_left_out=evaluate_baselines(training, training, codebook),
        by_source=_by_source(training, challenger.left_out) if challenger.left_out else (),
        learning_curve=_learning_curve(training, judged, card, progress, jobs) if len(judged) else (),
    )


def _by_source(training: Dataset, left_out: LeftOut) -> tuple[SourceFigure, ...]:
    scores = calibrated_left_out(training, left_out)
    decisions = left_out_decisions(training, left_out, scores)
    figures = []
    for source in sorted(set(training.sources)):
        rows = training.sources == source
        part = training.take(rows)
        result = evaluate(
            source, part.frames, scores[rows], decisions[rows], part.targets, part.articles, weights=part.weights
        )
        figures.append(SourceFigure(source, len(part), result.macro.f1))
    return tuple(figures)


def _learning_curve(
    training: Dataset,
    judged: Dataset,
    card: ModelCard,
    progress: ReportProgress,
    jobs: int | None,
) -> tuple[CurvePoint, ...]:
    """Trains as the card says on growing random sets of articles; judges all on the same held-out articles."""
    generator = np.random.default_rng(card.seed)
    articles = np.array(sorted(set(training.articles)), dtype=object)
    sets = [
        (share, generator.permutation(articles)[: max(2, round(share * len(articles)))])
        for share in _CURVE_SHARES
        for _ in range(1 if share == 1 else _CURVE_REPEATS)
    ]
    parts = (training.take(np.isin(training.articles, chosen)) for _, chosen in sets)
    tasks = (delayed(_curve_model)(part, judged, card) for part in parts)
    results = Parallel(n_jobs=jobs or -1, return_as="generator")(tasks)
    models_by_share: dict[float, list[tuple[int, float]]] = {share: [] for share in _CURVE_SHARES}
    for done, ((share, _), result) in enumerate(zip(sets, results, strict=True), 1):
        if result is not None:
            models_by_share[share].append(result)
        progress("learning curve", done / len(sets))
    return tuple(_curve_point(models) for models in models_by_share.values() if models)


def _curve_model(part: Dataset, judged: Dataset, card: ModelCard) -> tuple[int, float] | None:
    """Returns size and macro F1 of a model trained on a part; None for too small a part or an undefined figure."""
    if part.targets.sum(axis=0).min() < _FEWEST_CARRYING:
        return None
    hyperparameters = Hyperparameters(**card.hyperparameters)
    fitted = fit_calibrated(part, hyperparameters, card.seed, jobs=1, stances=False)
    model = FrameModel.of(fitted.pipeline, replace(card, cuts=fitted.cuts, stances=(), folds=None))
    macro = evaluate_held_out(model, judged).macro.f1.value
    return None if macro is None else (len(part), macro)


def _curve_point(models: Sequence[tuple[int, float]]) -> CurvePoint:
    """Summarises models of about the same size, each with its size and macro F1."""
    sizes, figures = zip(*models, strict=True)
    return CurvePoint(round(np.mean(sizes)), float(np.mean(figures)), min(figures), max(figures))
