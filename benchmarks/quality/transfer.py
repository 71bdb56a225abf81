"""How much each part of the pipeline improves scores on sources left out, and alternatives that were tried.

Every row leaves out a group of sources at a time; calibration and thresholds of a group come from the others.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.documents import show
from training.challenger import Fitted
from training.cross_validation import LeftOut, evaluate_left_out, leave_out
from training.dataset import Dataset
from training.hyperparameters import Hyperparameters
from training.pipeline import logits
from training.reports.tables import error_text, figure_text
from training.scoring.compiled import sigmoid
from training.scoring.operating_points import above_threshold

SEED = 20260101

CHOSEN = Hyperparameters()
_PLAIN = replace(CHOSEN, forms=0.0, concepts=0.0, contrast=0.0, names=True)
# Pipelines that lead to that of the kind `words`, part by part, and whether they know the codebook's classes.
PARTS: tuple[tuple[str, Hyperparameters, bool], ...] = (
    ("plain words", _PLAIN, False),
    ("+ forms of a word share weights", replace(_PLAIN, forms=CHOSEN.forms), False),
    ("+ concepts of the codebook share weights", replace(CHOSEN, contrast=0.0, names=True), False),
    ("+ columns scaled by contrast", replace(CHOSEN, names=True), False),
    ("+ names left out", CHOSEN, False),
    ("+ names of states share a weight: **the kind `words`**", CHOSEN, True),
)
TRIED: tuple[tuple[str, Hyperparameters], ...] = (
    ("pairs of words too", replace(CHOSEN, ngrams=2)),
    ("runs of up to 5 characters too", replace(CHOSEN, characters=5)),
    ("words of at least 3 paragraphs", replace(CHOSEN, min_df=3)),
    ("regularisation 1", replace(CHOSEN, regularisation=1.0)),
    ("regularisation 20", replace(CHOSEN, regularisation=20.0)),
)
HEAD = ["Pipeline", "Macro F1", "Average precision", "ECE"]


def rows(dataset: Dataset) -> list[list[str]]:
    """Cells under `HEAD` for `PARTS`, then for what was tried."""
    table = []
    for name, hyperparameters, classes in (*PARTS, *((*tried, True) for tried in TRIED)):
        show(name)
        left_out = leave_out(_with_classes(dataset, classes=classes), hyperparameters, SEED)
        table.append(_row(name, dataset, left_out))
    return table


def _with_classes(dataset: Dataset, *, classes: bool) -> Dataset:
    """The dataset for models that know the codebook's classes, or treat their words like other names."""
    if classes:
        return dataset
    lexicon = dataset.lexicon
    names = lexicon.names.union(*lexicon.classes.values())
    return replace(dataset, lexicon=replace(lexicon, classes={}, names=names))


def _row(name: str, dataset: Dataset, left_out: LeftOut) -> list[str]:
    evaluation = evaluate_left_out(dataset, left_out)
    precision = figure_text(evaluation.macro_average_precision)
    return [name, figure_text(evaluation.macro.f1), precision, error_text(evaluation.ece)]


def scores_and_decisions(fitted: Fitted, part: Dataset) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores and decisions (n, k) of a fitted model on a dataset, at its balanced thresholds."""
    scores = sigmoid(logits(fitted.pipeline, part.normalised)[:, : len(part.frames)])
    return scores, above_threshold(scores, [fitted.cuts["balanced"][frame] for frame in part.frames])
