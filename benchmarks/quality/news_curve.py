"""Learning curve: how good heads and words are after so many annotations of real news, on the held-out fifth."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.documents import show
from benchmarks.quality.annotated_news import Mask, News
from benchmarks.quality.news_models import SEED, Learn, Tried, chosen_on, whole_articles
from training.cross_validation import article_folds
from training.evaluation import Evaluation, Figure, evaluate
from training.reports.tables import figure_text

SIZES = (500, 1_000, 2_000, 4_000, 8_000, 11_000)


def head(models: Sequence[str]) -> list[str]:
    return ["Annotations", *(f"{model}: {figure}" for model in models for figure in ("average precision", "macro F1"))]


def measure(news: News, models: Mapping[str, Learn], sizes: Sequence[int], draws: int) -> list[list[str]]:
    """Cells under `head`: means of several draws of articles, and of the ends of their 95% intervals by article."""
    judged = news.dataset.take(news.held_out)
    _, folds = article_folds(judged)
    rows = []
    for size in (size for size in sizes if size <= news.learned.sum()):
        cells = [f"{size:,}"]
        for name, learn in models.items():
            show(f"learning curve, {size:,} annotations, {name}")
            figures = [
                _evaluated(news, learn(drawn(news, size, SEED + draw), news.held_out), folds) for draw in range(draws)
            ]
            cells += [_mean([each.macro_average_precision for each in figures])]
            cells += [_mean([each.macro.f1 for each in figures])]
        rows.append(cells)
    return rows


def drawn(news: News, size: int, seed: int) -> Mask:
    """So many of the paragraphs to learn from, (n,), whole articles but for the last."""
    chosen = news.learned.copy()
    chosen[chosen] = whole_articles(news.dataset.articles[news.learned], size, seed)
    return chosen


def _evaluated(news: News, tried: Tried, folds: NDArray[np.int64]) -> Evaluation:
    judged = news.dataset.take(news.held_out)
    scores, decisions = np.zeros(judged.targets.shape), np.zeros(judged.targets.shape, dtype=np.bool_)
    for fold in np.unique(folds):
        inside = folds == fold
        scores[inside], decisions[inside] = chosen_on(tried, judged.targets, ~inside, inside)
    return evaluate("", judged.frames, scores, decisions, judged.targets, judged.articles)


def _mean(figures: Sequence[Figure]) -> str:
    ends = np.array([[each.value, each.low, each.high] for each in figures], dtype=float).mean(axis=0)
    return figure_text(Figure(*ends.tolist()))
