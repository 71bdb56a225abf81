"""How good the roll-up to articles is: which carry a frame in any paragraph, how sure that is, and in which share.

The articles of the shipped corpus are coded from their first paragraph to their last. Codes that the coding queue asks
for are of single paragraphs, so that a trained model's card can't say this of a user's articles.
"""

import numpy as np

from training.card_markdown import FIGURES_HEAD, figures_rows
from training.cross_validation import LeftOut, calibrated_left_out, left_out_decisions
from training.dataset import Dataset
from training.evaluation import evaluate

HEAD = [*FIGURES_HEAD, "Share, coded", "Share, found", "Error of the share"]


def rows(training: Dataset, left_out: LeftOut) -> list[list[str]]:
    """Cells under `HEAD`: figures on whole articles by models that never saw their source."""
    articles, article = np.unique(training.articles.astype(str), return_inverse=True)
    order = np.argsort(article, kind="stable")
    begins = np.searchsorted(article[order], np.arange(len(articles)))
    scores = calibrated_left_out(training, left_out)
    decisions = left_out_decisions(training, left_out, scores)[order]
    targets = training.targets[order]
    found = evaluate(
        "whole articles",
        training.frames,
        np.maximum.reduceat(scores[order], begins, axis=0),
        np.logical_or.reduceat(decisions, begins, axis=0),
        np.logical_or.reduceat(targets, begins, axis=0),
        articles.astype(object),
    )
    sizes = np.bincount(article)[:, None]
    coded, called = (np.add.reduceat(of.astype(float), begins, axis=0) / sizes for of in (targets, decisions))
    shares = np.column_stack([coded.mean(axis=0), called.mean(axis=0), np.abs(called - coded).mean(axis=0)])
    of_frames_and_macro = [*shares, shares.mean(axis=0)]
    texts = [[f"{share:.0%}" for share in one] for one in of_frames_and_macro]
    return [[*row, *more] for row, more in zip(figures_rows(found), [*texts, [""] * 3], strict=True)]
