"""How good the roll-up to articles is: which carry a frame in any paragraph, how sure that is, and in which share.

The articles of the shipped corpus are coded from their first paragraph to their last. Codes that the coding queue asks
for are of single paragraphs, so that a trained model's card can't say this of a user's articles.
"""

import numpy as np

from benchmarks.few_labels import rare_stream
from training.cross_validation import LeftOut, calibrated_left_out, left_out_decisions
from training.dataset import Dataset
from training.evaluation import evaluate
from training.reports.card import FIGURES_HEAD, figures_rows

_SEED = 1
HEAD = [*FIGURES_HEAD, "Share, coded", "Share, found", "Error of the share"]


def rows(training: Dataset, left_out: LeftOut, *, rare: bool = False) -> list[list[str]]:
    """Cells under `HEAD`: figures on whole articles by models that never saw their source.

    With `rare` most paragraphs that carry a frame are taken out of the articles, as they are in most outlets.
    """
    scores = calibrated_left_out(training, left_out)
    decisions = left_out_decisions(training, left_out, scores)
    kept = rare_stream(training, _SEED) if rare else np.ones(len(training), dtype=np.bool_)
    articles, article = np.unique(training.articles[kept].astype(str), return_inverse=True)
    order = np.flatnonzero(kept)[np.argsort(article, kind="stable")]
    scores, decisions, targets = scores[order], decisions[order], training.targets[order]
    sizes = np.bincount(article)
    begins = np.cumsum(sizes) - sizes
    found = evaluate(
        "whole articles",
        training.frames,
        np.maximum.reduceat(scores, begins, axis=0),
        np.logical_or.reduceat(decisions, begins, axis=0),
        np.logical_or.reduceat(targets, begins, axis=0),
        articles.astype(object),
    )
    coded, called = (np.add.reduceat(of.astype(float), begins, axis=0) / sizes[:, None] for of in (targets, decisions))
    shares = np.column_stack([coded.mean(axis=0), called.mean(axis=0), np.abs(called - coded).mean(axis=0)])
    of_frames_and_macro = [*shares, shares.mean(axis=0)]
    texts = [[f"{share:.0%}" for share in one] for one in of_frames_and_macro]
    return [[*row, *more] for row, more in zip(figures_rows(found), [*texts, [""] * 3], strict=True)]
