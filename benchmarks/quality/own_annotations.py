"""What annotations of an outlet's own are worth: the base adapted to them, judged on the outlet's other articles.

Annotations and judged paragraphs are from articles that the encoder never saw. Several times, articles are drawn until
they have so many annotations, and the base and the adapted model are compared on all others.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import average_precision_score
from threadpoolctl import threadpool_limits

from benchmarks.documents import show
from benchmarks.quality.annotated_news import EncodedNews, News
from benchmarks.quality.news_left_out import signed_text
from benchmarks.quality.news_models import SEED, whole_articles
from training.cross_validation import no_progress
from training.dataset import Dataset
from training.encoder.heads import Array, Heads
from training.kinds.adaptation import adapt
from training.promotion import compare
from training.registry.base import BaseModel
from training.scoring.operating_points import above_threshold

OUTLETS = ("The Economist", "InSight Crime")
SIZES = (60, 200, 500)
# Fewest paragraphs that must be left to judge on.
FEWEST_JUDGED = 30
HEAD = [
    *("Outlet", "Seen by the encoder", "Own annotations", "Left to judge", "Macro F1, base", "Macro F1, adapted"),
    *("Gain", "Gain in average precision, lowest and highest draw"),
]


# What a draw judges: targets and the decisions of base and adapted model, (m, k), and the article of each, (m,).
_Judged = tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.object_]]


def measure(
    news: News, encoded: EncodedNews, outlets: Sequence[str], sizes: Sequence[int], draws: int
) -> list[list[str]]:
    """Cells under `HEAD`, for each outlet and size; the draws of a size are judged together."""
    rows = []
    for outlet in outlets:
        own = news.dataset.take(news.of(outlet))
        if not len(own):
            raise SystemExit(f"There is no unseen paragraph of the outlet {outlet}.")
        vectors = encoded.vectors(list(own.texts))
        seen = encoded.learned_from(list(news.dataset.texts[news.dataset.sources == outlet])).sum()
        for size in sizes:
            if len(own) < size + FEWEST_JUDGED:
                show(f"{outlet} has {len(own)} unseen paragraphs: too few for {size} annotations")
                continue
            show(f"{size} own annotations of {outlet}")
            with threadpool_limits(limits=1):
                judged, gains = zip(
                    *(_compare(own, vectors, encoded.base, size, draw) for draw in range(draws)), strict=True
                )
            rows.append([outlet, f"{seen:,}", f"{size}", f"{len(own) - size:,}", *_cells(judged, gains, own.frames)])
    return rows


def _compare(own: Dataset, vectors: Array, base: BaseModel, size: int, draw: int) -> tuple[_Judged, float]:
    """What a draw judges, and the gain in average precision."""
    chosen = whole_articles(own.articles, size, SEED + draw)
    adapted = adapt(vectors[chosen], own.take(chosen), base, no_progress)
    # Nor the rest of the last article that was drawn.
    others = ~np.isin(own.articles.astype(str), own.articles[chosen].astype(str))
    rest = own.take(others)
    before = _scores(Heads(base.coefficients, base.intercepts), vectors[others], rest)
    after = _scores(adapted.heads, vectors[others], rest)
    decisions = [
        above_threshold(scores, [cuts["balanced"][frame] for frame in rest.frames])
        for scores, cuts in ((before, base.card.cuts), (after, adapted.cuts))
    ]
    gain = _average_precision(after, rest) - _average_precision(before, rest)
    return (rest.targets, decisions[0], decisions[1], rest.articles), gain


def _scores(heads: Heads, vectors: Array, part: Dataset) -> Array:
    return np.asarray(expit(heads.logits(vectors)[:, : len(part.frames)]))


def _average_precision(scores: Array, part: Dataset) -> float:
    """The mean over the frames that occur."""
    occurring = part.targets.any(axis=0)
    return float(average_precision_score(part.targets[:, occurring], scores[:, occurring], average="macro"))


def _cells(judged: Sequence[_Judged], gains: Sequence[float], frames: tuple[str, ...]) -> list[str]:
    """The cells after the number of paragraphs; what the draws judge is taken together."""
    targets, base, adapted, articles = map(np.concatenate, zip(*judged, strict=True))
    verdict = compare("base", frames, targets, base, adapted, articles)
    spread = f"{np.mean(gains):+.3f} ({min(gains):+.3f} to {max(gains):+.3f})"
    return [f"{verdict.champion_macro_f1:.2f}", f"{verdict.challenger_macro_f1:.2f}", signed_text(verdict.gain), spread]
