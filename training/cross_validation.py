"""Cross-validation by leaving whole sources out: how a model scores writing that it never saw."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.special import expit

from labels.annotations import SPECIFIED_STANCES
from training.calibration import fit_platt
from training.dataset import Dataset
from training.evaluation import Evaluation, StanceFigures, evaluate
from training.hyperparameters import Hyperparameters
from training.pipeline import fit, logits
from training.scoring.operating_points import best_f1_threshold
from training.stances import evaluate_stances, stances_learnable

MAX_FOLDS = 10
_FEWEST_SOURCES = 3
# Number of paragraphs from which folds are spread over processes.
_WORTH_PROCESSES = 5000

# Called with the name of the current step and the share of it that is done, 0 to 1.
ReportProgress = Callable[[str, float], None]


def no_progress(_step: str, _share: float) -> None:
    """Ignores progress, for callers that do not show it."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Log-odds (n, k) of paragraphs from models trained without their fold; `folds` (n,) has the fold of each.

    `stances` are the log-odds of the stances, (n, k, 3); None where they cannot be learned. `how` describes the folds.
    """

    how: str
    logits: NDArray[np.float64]
    folds: NDArray[np.int64]
    stances: NDArray[np.float64] | None


def assign_folds(dataset: Dataset) -> tuple[str, NDArray[np.int64]]:
    """Returns a description of the folds and the fold of each paragraph, (n,).

    A fold is a source, or several sources where there are many, or whole articles where there are too few sources.
    """
    sources = sorted(set(dataset.sources))
    if len(sources) >= _FEWEST_SOURCES:
        fold = {source: number % MAX_FOLDS for number, source in enumerate(sources)}
        how = (
            "leave one source out"
            if len(sources) <= MAX_FOLDS
            else f"leave sources out, {MAX_FOLDS} groups of {len(sources)} sources"
        )
        return how, np.array([fold[source] for source in dataset.sources])
    how, numbers = article_folds(dataset)
    return f"{how} (fewer than {_FEWEST_SOURCES} sources: says little of other sources)", numbers


def article_folds(dataset: Dataset) -> tuple[str, NDArray[np.int64]]:
    """Returns a description of folds of whole articles and the fold of each paragraph, (n,)."""
    articles = sorted(set(dataset.articles), key=lambda a: hashlib.sha256(f"fold {a}".encode()).digest())
    folds = min(5, len(articles))
    fold = {article: number % folds for number, article in enumerate(articles)}
    return f"leave articles out, {folds} folds", np.array([fold[article] for article in dataset.articles], np.int64)


def leave_out(
    dataset: Dataset,
    hyperparameters: Hyperparameters,
    seed: int,
    progress: ReportProgress = no_progress,
    jobs: int | None = None,
    *,
    stances: bool = True,
) -> LeftOut:
    """Trains without each fold in turn and scores that fold, in `jobs` processes (-1: as many as cores).

    Without `jobs`, small datasets are processed in this process: starting others would take longer than the folds.
    `stances=False` leaves out the stances.
    """
    if jobs is None:
        jobs = 1 if len(dataset) < _WORTH_PROCESSES else -1
    how, folds = assign_folds(dataset)
    numbers = np.unique(folds)
    stances, frames = stances and stances_learnable(dataset), len(dataset.frames)
    score = delayed(_score_fold)
    tasks = (score(dataset, folds == number, hyperparameters, seed, stances=stances) for number in numbers)
    scores = np.zeros((len(dataset), frames * (1 + len(SPECIFIED_STANCES) * stances)))
    results = Parallel(n_jobs=min(jobs, len(numbers)) if jobs > 0 else jobs, return_as="generator")(tasks)
    for done, (number, scored) in enumerate(zip(numbers, results, strict=True), 1):
        scores[folds == number] = scored
        progress(how, done / len(numbers))
    of_stances = scores[:, frames:].reshape(len(dataset), frames, len(SPECIFIED_STANCES)) if stances else None
    return LeftOut(how, scores[:, :frames], folds, of_stances)


def _score_fold(
    dataset: Dataset, left_out: NDArray[np.bool_], hyperparameters: Hyperparameters, seed: int, *, stances: bool
) -> NDArray[np.float64]:
    pipeline = fit(dataset.take(~left_out), hyperparameters, seed, stances=stances)
    return logits(pipeline, dataset.take(left_out).normalised)


def calibrated_left_out(
    dataset: Dataset, left_out: LeftOut, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Returns scores (n, k), those of each fold calibrated on the other folds only.

    `weights` (n, k) says for each frame how many paragraphs each stands for; None means a paragraph each.
    """
    scores = np.zeros(left_out.logits.shape)
    for number in np.unique(left_out.folds):
        inside = left_out.folds == number
        for k in range(len(dataset.frames)):
            others = ~inside & dataset.coded[:, k]
            weight = None if weights is None else weights[others, k]
            slope, offset = fit_platt(left_out.logits[others, k], dataset.targets[others, k], weight)
            scores[inside, k] = expit(slope * left_out.logits[inside, k] + offset)
    return scores


def left_out_decisions(dataset: Dataset, left_out: LeftOut, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns decisions (n, k) at the balanced threshold; each fold uses the threshold from the other folds."""
    decisions = np.zeros(scores.shape, dtype=bool)
    for number in np.unique(left_out.folds):
        inside = left_out.folds == number
        for k in range(len(dataset.frames)):
            others = ~inside & dataset.coded[:, k]
            decisions[inside, k] = scores[inside, k] >= best_f1_threshold(scores[others, k], dataset.targets[others, k])
    return decisions


def evaluate_left_out(dataset: Dataset, left_out: LeftOut) -> Evaluation:
    """Returns figures on all paragraphs, each scored by a model fitted, calibrated and cut without its source."""
    scores = calibrated_left_out(dataset, left_out)
    decisions = left_out_decisions(dataset, left_out, scores)
    return evaluate(
        left_out.how,
        dataset.frames,
        scores,
        decisions,
        dataset.targets,
        dataset.articles,
        weights=dataset.weights,
    )


def evaluate_left_out_stances(dataset: Dataset, left_out: LeftOut) -> StanceFigures | None:
    """Returns figures on the stances of frames that are present, from models that never saw the source."""
    if left_out.stances is None:
        return None
    return evaluate_stances(left_out.how, dataset, left_out.stances, left_out.folds)
