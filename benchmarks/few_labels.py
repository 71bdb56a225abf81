"""How many codes it takes: held-out macro F1 with paragraphs coded at random and with those that the queue chooses.

Coding is simulated on the shipped corpus: its own codes are revealed step by step. Both begin with the same random
paragraphs; from then on the queue draws each step with the model trained so far, half at random and half by what that
model is unsure of, as the service does. Every model is judged on the same held-out articles.
"""

from collections.abc import Sequence

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks.transfer import Say, scores_and_decisions
from training.challenger import fit_calibrated
from training.dataset import Dataset
from training.evaluation import evaluate
from training.pipeline import Hyperparameters
from training.sampling import draw

SIZES, RARE_SIZES = (25, 50, 100, 200, 400, 800, 1600), (50, 100, 200, 400)
REPEATS, RARE_REPEATS = 10, 20
HEAD = ["Codes", "Macro F1, at random", "Macro F1, by the queue", "Gain by the queue"]
_SEED = 20260101


def measure(
    training: Dataset, judged: Dataset, sizes: Sequence[int], repeats: int, say: Say, *, rare: bool = False
) -> tuple[list[list[str]], str]:
    """A row a size (mean and range of the repeats), and a sentence on how many codes the queue saves.

    With `rare` each repeat has a stream of its own in which frames are rare, as in most outlets.
    """
    say(f"few labels, {repeats} repeats")
    seeds = range(_SEED, _SEED + repeats)
    jobs = (
        delayed(_curves)(training.take(rare_stream(training, seed)) if rare else training, judged, sizes, seed)
        for seed in seeds
    )
    found = np.array(Parallel(n_jobs=-1)(jobs))  # (repeats, 2, sizes)
    rows = [
        [f"{size:,}", *(_spread(found[:, way, place]) for way in (0, 1)), _spread(np.diff(found[:, :, place]).ravel())]
        for place, size in enumerate(sizes)
    ]
    return rows, _saving(found.mean(axis=0), sizes)


def rare_stream(training: Dataset, seed: int) -> NDArray[np.bool_]:
    """(n,) mask of one in eight of the paragraphs that carry any frame, and of all others."""
    kept = np.random.default_rng([seed, 8]).random(len(training)) < 1 / 8
    return ~training.targets.any(axis=1) | kept


def _spread(values: NDArray[np.float64]) -> str:
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"


def _curves(training: Dataset, judged: Dataset, sizes: Sequence[int], seed: int) -> list[list[float]]:
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(training))
    at_random, by_queue, chosen = [], [], order[: sizes[0]]
    for place, size in enumerate(sizes):
        at_random.append(_judge(training, order[:size], judged)[0])
        figure, scores = _judge(training, chosen, judged)
        by_queue.append(figure)
        if place + 1 < len(sizes):
            left = np.setdiff1d(np.arange(len(training)), chosen)
            drawn = draw(scores[left], sizes[place + 1] - len(chosen), generator)
            chosen = np.concatenate([chosen, left[[one.position for one in drawn]]])
    return [at_random, by_queue]


def _judge(training: Dataset, rows: NDArray[np.int64], judged: Dataset) -> tuple[float, NDArray[np.float64]]:
    """Held-out macro F1 of a model of some rows, and its scores of all."""
    fitted = fit_calibrated(training.take(rows), Hyperparameters(), _SEED, jobs=1, stances=False)
    scores, decisions = scores_and_decisions(fitted, judged)
    macro = evaluate("", judged.frames, scores, decisions, judged.targets, judged.articles).macro.f1.value
    return macro or 0.0, scores_and_decisions(fitted, training)[0]


def _saving(means: NDArray[np.float64], sizes: Sequence[int]) -> str:
    """How many codes chosen by the queue reach what random ones reach, read off the mean curves."""
    at_random, by_queue = means
    logs = np.log(np.array(sizes, dtype=float))
    parts = []
    for place in range(2, len(sizes)):
        reached = np.interp(at_random[place], np.maximum.accumulate(by_queue), logs)
        parts.append(f"{np.exp(reached) / sizes[place]:.0%} of {sizes[place]:,}")
    return "Codes that the queue needs for the F1 of random ones, read off the means: " + ", ".join(parts) + "."
