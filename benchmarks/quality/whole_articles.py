"""How good the figures of whole articles are: which frames occur, with which score, and in which share of paragraphs.

The articles of the shipped corpus are annotated from their first paragraph to their last. The coding queue draws single
paragraphs, so the card of a model trained on a user's annotations cannot have these figures.
"""

import numpy as np

from benchmarks.quality.few_labels import rare_stream
from training.cross_validation import LeftOut, calibrated_left_out, left_out_decisions
from training.dataset import Dataset
from training.evaluation import evaluate
from training.reports.tables import FIGURES_HEAD, figures_rows

_SEED = 1
HEAD = [*FIGURES_HEAD, "Share, annotated", "Share, decided", "Error of the share"]


def rows(training: Dataset, left_out: LeftOut, *, rare: bool = False) -> list[list[str]]:
    """Cells under `HEAD`: figures of whole articles, by models that never saw their source.

    With `rare`, most paragraphs that carry a frame are removed first, so that frames are as rare as in most outlets.
    """
    scores = calibrated_left_out(training, left_out)
    decisions = left_out_decisions(training, left_out, scores)
    chosen = rare_stream(training, _SEED) if rare else np.ones(len(training), dtype=np.bool_)
    articles, article = np.unique(training.articles[chosen].astype(str), return_inverse=True)
    order = np.flatnonzero(chosen)[np.argsort(article, kind="stable")]
    scores, decisions, targets = scores[order], decisions[order], training.targets[order]
    sizes = np.bincount(article)
    begins = np.cumsum(sizes) - sizes
    evaluation = evaluate(
        "whole articles",
        training.frames,
        np.maximum.reduceat(scores, begins, axis=0),
        np.logical_or.reduceat(decisions, begins, axis=0),
        np.logical_or.reduceat(targets, begins, axis=0),
        articles.astype(object),
    )
    annotated, decided = (
        np.add.reduceat(mask.astype(float), begins, axis=0) / sizes[:, None] for mask in (targets, decisions)
    )
    errors = np.abs(decided - annotated)
    shares = np.column_stack([annotated.mean(axis=0), decided.mean(axis=0), errors.mean(axis=0)])
    texts = [[f"{share:.0%}" for share in row] for row in (*shares, shares.mean(axis=0))]
    return [[*row, *more] for row, more in zip(figures_rows(evaluation), [*texts, [""] * 3], strict=True)]
