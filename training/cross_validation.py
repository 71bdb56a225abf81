"""Cross-validation by leaving whole sources out: what a model says of writing that it never saw."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.special import expit

from training.calibration import fit_platt
from training.dataset import Dataset
from training.evaluation import Evaluation, evaluate
from training.operating_points import best_f1_threshold
from training.pipeline import Hyperparameters, fit, logits

MAX_FOLDS = 20
_FEWEST_SOURCES = 3

Progress = Callable[[str, float], None]
"""Told what is going on and the share of the work that is done, 0 to 1."""


def no_progress(_step: str, _share: float) -> None:
    """For callers that show none."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Log-odds (n, k) that models gave to paragraphs of folds left out of their training; `folds` (n,) numbers them."""

    how: str
    logits: NDArray[np.float64]
    folds: NDArray[np.int64]


def assign_folds(dataset: Dataset) -> tuple[str, NDArray[np.int64]]:
    """One fold a source; several sources a fold where there are many; whole articles where there are too few."""
    sources = sorted(set(dataset.sources))
    if len(sources) >= _FEWEST_SOURCES:
        fold = {source: number % MAX_FOLDS for number, source in enumerate(sources)}
        how = (
            "leave one source out"
            if len(sources) <= MAX_FOLDS
            else f"leave sources out, {MAX_FOLDS} groups of {len(sources)} sources"
        )
        return how, np.array([fold[source] for source in dataset.sources])
    articles = sorted(set(dataset.articles), key=lambda a: hashlib.sha256(f"fold {a}".encode()).digest())
    folds = min(5, len(articles))
    fold = {article: number % folds for number, article in enumerate(articles)}
    how = f"leave articles out, {folds} folds (fewer than {_FEWEST_SOURCES} sources: says little of other sources)"
    return how, np.array([fold[article] for article in dataset.articles])


def leave_out(
    dataset: Dataset, hyperparameters: Hyperparameters, seed: int, progress: Progress = no_progress, jobs: int = -1
) -> LeftOut:
    """Trains once a fold without it and scores it."""
    how, folds = assign_folds(dataset)
    texts = dataset.normalised
    numbers = np.unique(folds)
    tasks = (delayed(_score_fold)(texts, dataset.targets, folds == number, hyperparameters, seed) for number in numbers)
    found = np.zeros(dataset.targets.shape)
    results = Parallel(n_jobs=min(jobs, len(numbers)) if jobs > 0 else jobs, return_as="generator")(tasks)
    for done, (number, scored) in enumerate(zip(numbers, results, strict=True), 1):
        found[folds == number] = scored
        progress(how, done / len(numbers))
    return LeftOut(how, found, folds)


def _score_fold(
    texts: NDArray[np.object_],
    targets: NDArray[np.bool_],
    left_out: NDArray[np.bool_],
    hyperparameters: Hyperparameters,
    seed: int,
) -> NDArray[np.float64]:
    kept = targets[~left_out]
    learnable = np.flatnonzero(kept.any(axis=0) & ~kept.all(axis=0))
    # A frame that the other sources never (or always) carry cannot be learned from them: say how rare it was.
    share = (kept.sum(axis=0) + 1) / (len(kept) + 2)
    found = np.tile(np.log(share / (1 - share)), (int(left_out.sum()), 1))
    if len(learnable):
        # A lone column twice over: scikit-learn takes a single one for another kind of task and answers otherwise.
        columns = learnable if len(learnable) > 1 else np.repeat(learnable, 2)
        pipeline = fit(texts[~left_out], kept[:, columns], hyperparameters, seed)
        found[:, columns] = logits(pipeline, texts[left_out])
    return found


def calibrated_left_out(dataset: Dataset, left_out: LeftOut) -> NDArray[np.float64]:
    """Scores (n, k) of each fold, calibrated on the other folds only."""
    scores = np.zeros(left_out.logits.shape)
    for number in np.unique(left_out.folds):
        inside = left_out.folds == number
        for k in range(len(dataset.frames)):
            slope, offset = fit_platt(left_out.logits[~inside, k], dataset.targets[~inside, k])
            scores[inside, k] = expit(slope * left_out.logits[inside, k] + offset)
    return scores


def left_out_decisions(dataset: Dataset, left_out: LeftOut, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Decisions (n, k) at the balanced threshold, that of each fold taken from the other folds."""
    decisions = np.zeros(scores.shape, dtype=bool)
    for number in np.unique(left_out.folds):
        inside = left_out.folds == number
        decisions[inside] = scores[inside] >= np.array(
            [best_f1_threshold(scores[~inside, k], dataset.targets[~inside, k]) for k in range(len(dataset.frames))]
        )
    return decisions


def evaluate_left_out(dataset: Dataset, left_out: LeftOut) -> Evaluation:
    """Figures on every paragraph from a model that was fitted, calibrated and cut without its source."""
    scores = calibrated_left_out(dataset, left_out)
    decisions = left_out_decisions(dataset, left_out, scores)
    return evaluate(left_out.how, dataset.frames, scores, decisions, dataset.targets, dataset.articles)
