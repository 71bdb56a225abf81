"""How many annotations are needed: held-out macro F1 with paragraphs drawn at random and with those the queue draws.

Coding is simulated on the shipped corpus, whose annotations are revealed step by step. Both ways start with the same
random paragraphs. From then on the queue draws with the latest model, half at random and half by uncertainty, as the
service does. Every model is evaluated on the same held-out articles.
"""

from collections.abc import Sequence

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks.documents import show
from benchmarks.quality.transfer import scores_and_decisions
from training.challenger import fit_calibrated
from training.dataset import Dataset
from training.evaluation import evaluate
from training.hyperparameters import Hyperparameters
from training.making.whole_articles import rare_stream
from training.sampling import draw

SIZES, RARE_SIZES = (25, 50, 100, 200, 400, 800, 1600), (50, 100, 200, 400)
REPEATS, RARE_REPEATS = 10, 20
HEAD = ["Annotations", "Macro F1, at random", "Macro F1, by the queue", "Gain by the queue"]
_SEED = 20260101


def measure(
    training: Dataset, held_out: Dataset, sizes: Sequence[int], repeats: int, *, rare: bool = False
) -> tuple[list[list[str]], str]:
    """Cells under `HEAD` for each size (mean and range of the repeats), and what the queue saves, as a list in words.

    With `rare`, each repeat draws from a different stream in which frames are as rare as in most outlets.
    """
    show(f"few labels, {repeats} repeats")
    seeds = range(_SEED, _SEED + repeats)
    jobs = (
        delayed(_curves)(training.take(rare_stream(training, seed)) if rare else training, held_out, sizes, seed)
        for seed in seeds
    )
    figures = np.array(Parallel(n_jobs=-1)(jobs))  # shape (repeats, 2, sizes)
    gains = figures[:, 1] - figures[:, 0]
    rows = [
        [
            f"{size:,}",
            *(_spread(figures[:, way, place]) for way in (0, 1)),
            _spread(gains[:, place]),
        ]
        for place, size in enumerate(sizes)
    ]
    return rows, _saving(figures.mean(axis=0), sizes)


def _spread(values: NDArray[np.float64]) -> str:
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"


def _curves(training: Dataset, held_out: Dataset, sizes: Sequence[int], seed: int) -> list[list[float]]:
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(training))
    at_random, by_queue, chosen = [], [], order[: sizes[0]]
    for place, size in enumerate(sizes):
        at_random.append(_evaluate(training, order[:size], held_out)[0])
        f1, scores = _evaluate(training, chosen, held_out)
        by_queue.append(f1)
        if place + 1 < len(sizes):
            left = np.setdiff1d(np.arange(len(training)), chosen)
            drawn = draw(scores[left], sizes[place + 1] - len(chosen), generator)
            chosen = np.concatenate([chosen, left[[candidate.position for candidate in drawn]]])
    return [at_random, by_queue]


def _evaluate(training: Dataset, rows: NDArray[np.int64], held_out: Dataset) -> tuple[float, NDArray[np.float64]]:
    """Held-out macro F1 of a model trained on these rows, and its scores of all rows."""
    fitted = fit_calibrated(training.take(rows), Hyperparameters(), _SEED, jobs=1, stances=False)
    scores, decisions = scores_and_decisions(fitted, held_out)
    macro = evaluate("", held_out.frames, scores, decisions, held_out.targets, held_out.articles).macro.f1.value
    return macro or 0.0, scores_and_decisions(fitted, training)[0]


def _saving(means: NDArray[np.float64], sizes: Sequence[int]) -> str:
    """Numbers of annotations with which the queue reaches the F1 of random ones, read off the mean curves."""
    at_random, by_queue = means
    logs = np.log(np.array(sizes, dtype=float))
    parts = []
    for place in range(2, len(sizes)):
        reached = np.interp(at_random[place], np.maximum.accumulate(by_queue), logs)
        parts.append(f"{np.exp(reached) / sizes[place]:.0%} of {sizes[place]:,}")
    return ", ".join(parts)
