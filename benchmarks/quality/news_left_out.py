"""Outlets and topics left out: each fifth of them judged by models that learned from the other four.

A paragraph without an outlet, or a topic, is left out altogether: it may be from any. The encoder itself learned from
all; only its heads, and the words, learn without.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.documents import show
from benchmarks.quality.annotated_news import Mask, News
from benchmarks.quality.news_models import Learn, chosen_on
from training.dataset import Dataset
from training.evaluation import Figure, evaluate
from training.promotion import compare
from training.reports.tables import figure_text

PARTS = 5
HEAD = ["Left out", "Model", "Paragraphs", "Learned from", "Macro F1", "Average precision", "Macro F1 against all"]


def measure(news: News, models: Mapping[str, Learn]) -> list[list[str]]:
    """Cells under `HEAD`: for each model two rows, learned from all and without the fifth that is judged."""
    rows = []
    for what, names in (("a fifth of the outlets", news.dataset.sources), ("a fifth of the topics", news.topics)):
        numbers = np.array(
            [int(hashlib.sha256(name.encode()).hexdigest(), 16) % PARTS if name else -1 for name in names]
        )
        judged = (numbers >= 0) & ~news.learned
        for model, learn in models.items():
            show(f"{what} left out, {model}")
            rows += [[what, model, f"{judged.sum():,}", *cells] for cells in _rows(news, judged, numbers, learn)]
    return rows


def _rows(news: News, judged: Mask, numbers: NDArray[np.int64], learn: Learn) -> list[list[str]]:
    dataset = news.dataset.take(judged)
    with_all = learn(news.learned & (numbers >= 0), judged)
    scores = {name: np.zeros(dataset.targets.shape) for name in ("all", "the other four fifths")}
    decisions = {name: np.zeros(dataset.targets.shape, dtype=np.bool_) for name in scores}
    for number in range(PARTS):
        without = learn(news.learned & (numbers >= 0) & (numbers != number), judged)
        inside = numbers[judged] == number
        tuned = news.held_out[judged] & ~inside
        for name, tried in zip(scores, (with_all, without), strict=True):
            scores[name][inside], decisions[name][inside] = chosen_on(tried, dataset.targets, tuned, inside)
    before, after = decisions.values()
    gain = compare("all", dataset.frames, dataset.targets, before, after, dataset.articles).gain
    ends = ("", signed_text(gain))
    return [
        [name, *_figures(dataset, scores[name], decisions[name]), end] for name, end in zip(scores, ends, strict=True)
    ]


def _figures(dataset: Dataset, scores: NDArray[np.float64], decisions: NDArray[np.bool_]) -> list[str]:
    figures = evaluate("", dataset.frames, scores, decisions, dataset.targets, dataset.articles)
    return [figure_text(figures.macro.f1), figure_text(figures.macro_average_precision)]


def signed_text(gain: Figure) -> str:
    """A difference with its interval."""
    if gain.value is None:
        return "–"
    return f"{gain.value:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]"
