"""Baselines that a model has to beat: the commoner label of each frame, and the codebook's keywords."""

import re

import numpy as np
from numpy.typing import NDArray

from labels.codebook import Codebook
from training.dataset import Dataset
from training.evaluation import Evaluation, evaluate


def majority_decisions(training: Dataset, paragraphs: int) -> NDArray[np.bool_]:
    """Returns the commoner label of each frame for every paragraph: (paragraphs, k)."""
    return np.tile(training.targets.mean(axis=0) > 0.5, (paragraphs, 1))


def keyword_decisions(codebook: Codebook, texts: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Calls a frame wherever any of its keywords occurs as a word: (n, k)."""
    columns = []
    for frame in codebook.frames:
        words = "|".join(re.escape(keyword) for keyword in frame.keywords) or r"(?!)"
        pattern = re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
        columns.append([bool(pattern.search(text)) for text in texts])
    return np.array(columns, dtype=bool).T


def evaluate_baselines(training: Dataset, judged: Dataset, codebook: Codebook) -> tuple[Evaluation, ...]:
    """Returns the figures of the baselines on the judged paragraphs; keywords only where the codebook lists some."""
    candidates = {"majority": majority_decisions(training, len(judged))}
    if any(frame.keywords for frame in codebook.frames):
        candidates["keywords"] = keyword_decisions(codebook, judged.texts)
    return tuple(
        evaluate(name, judged.frames, decisions.astype(float), decisions, judged.targets, judged.articles)
        for name, decisions in candidates.items()
    )
