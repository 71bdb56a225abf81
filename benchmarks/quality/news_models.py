"""Models that learn from a part of annotated news: heads on the frozen vectors of an encoder, and words.

The encoder itself has learned from all of that part, so heads fit it better than they will fit anything else. How much
they are pulled, how scores are calibrated and where the thresholds lie is therefore chosen on paragraphs that it never
saw.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.quality.annotated_news import Mask
from training.calibration import fit_platt
from training.dataset import Dataset
from training.encoder.heads import PULLS, Array, fit_separately, from_nothing, of_presence
from training.hyperparameters import Hyperparameters
from training.pipeline import fit, logits
from training.scoring.compiled import sigmoid
from training.scoring.operating_points import best_f1_threshold

SEED = 20260101
WORDS = "words"

# Log-odds (m, k) of judged paragraphs, an array for each setting that was tried.
Tried = list[Array]
# From the paragraphs to learn from and those to judge, (n,) each, to what was tried.
Learn = Callable[[Mask, Mask], Tried]


def whole_articles(articles: NDArray[np.object_], size: int, seed: int) -> Mask:
    """So many of n paragraphs, (n,), of articles in a random order; the last article may be cut."""
    names = articles.astype(str)
    place = {name: number for number, name in enumerate(np.random.default_rng(seed).permutation(np.unique(names)))}
    order = sorted(range(len(names)), key=lambda row: place[names[row]])
    return np.isin(np.arange(len(names)), order[:size])


def heads_of(dataset: Dataset, vectors: Array) -> Learn:
    """Heads learned from nothing on vectors (n, d), with each pull."""

    def learn(learned: Mask, judged: Mask) -> Tried:
        part, targets = vectors[learned], dataset.targets[learned].astype(float)
        with threadpool_limits(limits=1):
            known = from_nothing(part.shape[1], targets)
            heads = [fit_separately(part, targets, known, pull) for pull in PULLS if np.isfinite(pull)]
            return [each.logits(vectors[judged]) for each in heads]

    return learn


def words_of(dataset: Dataset) -> Learn:
    """The model of words, TF-IDF and logistic regression, as it ships."""

    def learn(learned: Mask, judged: Mask) -> Tried:
        pipeline = fit(dataset.take(learned), Hyperparameters(), SEED, stances=False)
        return [logits(pipeline, dataset.take(judged).normalised)]

    return learn


def chosen_on(tried: Tried, targets: NDArray[np.bool_], tuned: Mask, judged: Mask) -> tuple[Array, NDArray[np.bool_]]:
    """Calibrated scores (j, k) and decisions (j, k) of j of m paragraphs: all that is chosen is chosen on others."""
    log_odds = min(tried, key=lambda each: float(of_presence(each[tuned], targets[tuned].astype(float))[0].sum()))
    scores = np.zeros((int(judged.sum()), targets.shape[1]))
    decisions = np.zeros(scores.shape, dtype=np.bool_)
    for k in range(targets.shape[1]):
        slope, offset = fit_platt(log_odds[tuned, k], targets[tuned, k])
        threshold = best_f1_threshold(sigmoid(slope * log_odds[tuned, k] + offset), targets[tuned, k])
        scores[:, k] = sigmoid(slope * log_odds[judged, k] + offset)
        decisions[:, k] = scores[:, k] >= threshold
    return scores, decisions
