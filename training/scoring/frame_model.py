"""`FrameModel`: a scorer with its model card. It scores paragraphs and explains the scores by their words."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.model_card import ModelCard
from training.scoring.compilation import Scorer, scorer_of
from training.scoring.compiled import sigmoid, softmax
from training.scoring.evidence import FrameExplanation

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_CACHED_PARAGRAPHS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Calibrated scores of n paragraphs for k frames, (n, k), and for the s stances of each frame, (n, k, s).

    A stance's score is conditional on the frame being present, so the stances of a frame add up to 1. For a model
    without stances, s is 0. `subject` has the log-odds that each paragraph is from news on the subject of the codebook,
    (n,); None for a model that cannot tell. `folds` has the scores of the fold models, (n, folds, k); None for a model
    without them.
    """

    frames: NDArray[np.float64]
    stances: NDArray[np.float64]
    subject: NDArray[np.float64] | None = None
    folds: NDArray[np.float64] | None = None


class FrameModel:
    """Scores paragraphs with a calibrated model; repeated paragraphs (wire copy) come from a bounded cache."""

    def __init__(self, scorer: Scorer, card: ModelCard) -> None:
        self.card = card
        self.frames = card.frame_keys
        self._scorer = scorer
        self._cache = _Cache(_CACHED_PARAGRAPHS)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leaves the cache behind when the model is sent to another process."""
        return FrameModel, (self._scorer, self.card)

    @classmethod
    def of(cls, pipeline: "Pipeline", card: ModelCard) -> "FrameModel":
        """Returns the model of a fitted pipeline."""
        return cls(scorer_of(pipeline, len(card.frames), card.encoder_digest), card)

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Returns calibrated scores of the frames, (n, k), for n paragraphs as submitted."""
        return self.score_with_stances(texts).frames

    def score_with_stances(self, texts: Sequence[str]) -> Scored:
        """Returns calibrated scores of the frames and of their stances for n paragraphs as submitted."""
        keys = [_key(text) for text in texts]
        logits = np.empty((len(texts), columns_of(self.card)))
        missing = []
        for row, cached in enumerate(self._cache.find(keys)):
            if cached is None:
                missing.append(row)
            else:
                logits[row] = cached
        if missing:
            computed = self._scorer.logits([texts[row] for row in missing])
            logits[missing] = computed
            self._cache.store([keys[row] for row in missing], computed)
        return self._scored(logits)

    def score_and_explain(self, texts: Sequence[str]) -> tuple[Scored, list[tuple[FrameExplanation, ...]]]:
        """Returns scores and, for each paragraph, the explanation of each frame."""
        logits, explanations = self._scorer.explain(texts)
        return self._scored(logits), explanations

    def known_share(self, text: str) -> float:
        """Returns the share of the words of a text that occurred in training; 0 where that is unknown."""
        return self._scorer.known_share(text)

    def prepare(self) -> None:
        """Loads what scoring needs, which the first paragraph would else wait for; raises `ModelFileError`."""
        self._scorer.prepare()

    def _scored(self, logits: NDArray[np.float64]) -> Scored:
        frames, size = len(self.card.frames), len(self.card.stances)
        stances = logits[:, frames : frames * (1 + size)].reshape(len(logits), frames, size)
        subject = None if self.card.subject is None else logits[:, -1]
        folds = None
        if self.card.folds is not None:
            count = _folds_of(self.card)
            columns = logits[:, frames * (1 + size) :][:, : frames * count]
            folds = sigmoid(columns.reshape(len(logits), count, frames))
        return Scored(sigmoid(logits[:, :frames]), softmax(stances), subject, folds)


def columns_of(card: ModelCard) -> int:
    """Returns how many columns the scorer of a model has: frames, their stances, the fold models, and the subject."""
    return len(card.frames) * (1 + len(card.stances) + _folds_of(card)) + (card.subject is not None)


def _folds_of(card: ModelCard) -> int:
    return 0 if card.folds is None else len(card.folds.thresholds)


def _key(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Cache:
    """The log-odds of the most recently scored paragraphs, by a digest of their text."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._logits: OrderedDict[bytes, NDArray[np.float64]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, keys: Sequence[bytes]) -> list[NDArray[np.float64] | None]:
        with self._lock:
            return [self._logits.get(key) for key in keys]

    def store(self, keys: Sequence[bytes], logits: NDArray[np.float64]) -> None:
        with self._lock:
            for key, row in zip(keys, logits, strict=True):
                self._logits[key] = row.copy()
            while len(self._logits) > self._capacity:
                self._logits.popitem(last=False)
