"""How good the figures of whole articles are: which frames occur, with which score, and in which share of paragraphs.

The articles of the shipped corpus are annotated from their first paragraph to their last. The coding queue draws single
paragraphs, so the card of a model trained on a user's annotations cannot have these figures.
"""

import numpy as np

from benchmarks.quality.few_labels import rare_stream
from training.cross_validation import LeftOut, calibrated_left_out, left_out_decisions
from training.dataset import Dataset
from training.reports.article_figures import ARTICLES_HEAD, article_figures, articles_rows

_SEED = 1
HEAD = ARTICLES_HEAD


def rows(training: Dataset, left_out: LeftOut, *, rare: bool = False) -> list[list[str]]:
    """Cells under `HEAD`: figures of whole articles, by models that never saw their source.

    With `rare`, most paragraphs that carry a frame are removed first, so that frames are as rare as in most outlets.
    """
    scores = calibrated_left_out(training, left_out)
    decisions = left_out_decisions(training, left_out, scores)
    chosen = rare_stream(training, _SEED) if rare else np.ones(len(training), dtype=np.bool_)
    parts = (scores[chosen], decisions[chosen], training.targets[chosen], training.articles[chosen])
    return articles_rows(article_figures(training.frames, *parts))
