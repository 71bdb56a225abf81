"""`FrameModel`: a scorer with its card; scores paragraphs and says which words carried a score."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.registry.card import ModelCard
from training.scoring.compiled import FrameExplanation, Scorer, scorer_of, sigmoid

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Calibrated scores of n paragraphs: of k frames, (n, k), and of their stances where they are present, (n, k, s).

    The stances of a frame add up to 1; s is 0 for a model that knows none.
    """

    frames: NDArray[np.float64]
    stances: NDArray[np.float64]


class FrameModel:
    """Scores paragraphs with a calibrated model; repeated paragraphs (wire copy) from a bounded memory."""

    def __init__(self, scorer: Scorer, card: ModelCard) -> None:
        self.card = card
        self._scorer = scorer
        self._known = _Memory(_REMEMBERED)

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process without what it remembers."""
        return FrameModel, (self._scorer, self.card)

    @classmethod
    def of(cls, pipeline: "Pipeline", card: ModelCard) -> "FrameModel":
        """The model of a fitted pipeline."""
        return cls(scorer_of(pipeline, len(card.frames)), card)

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated scores of the frames, (n, k), of paragraphs as they were submitted."""
        return self.score_with_stances(texts).frames

    def score_with_stances(self, texts: Sequence[str]) -> Scored:
        """Calibrated scores of the frames and of their stances."""
        keys = [_key(text) for text in texts]
        logits = np.empty((len(texts), self._columns))
        missing = []
        for row, found in enumerate(self._known.find(keys)):
            if found is None:
                missing.append(row)
            else:
                logits[row] = found
        if missing:
            computed = self._scorer.logits([texts[row] for row in missing])
            logits[missing] = computed
            self._known.keep([keys[row] for row in missing], computed)
        return self._scored(logits)

    def score_and_explain(self, texts: Sequence[str]) -> tuple[Scored, list[tuple[FrameExplanation, ...]]]:
        """Scores and, for each paragraph, the explanation of each frame."""
        logits, explanations = self._scorer.explain(texts)
        return self._scored(logits), explanations

    def known_share(self, text: str) -> float:
        """Which share of the words of a text occurred in training; 0 where that cannot be told."""
        return self._scorer.known_share(text)

    @property
    def _columns(self) -> int:
        return len(self.card.frames) * (1 + len(self.card.stances))

    def _scored(self, logits: NDArray[np.float64]) -> Scored:
        frames = len(self.card.frames)
        voices = logits[:, frames:].reshape(len(logits), frames, len(self.card.stances))
        return Scored(sigmoid(logits[:, :frames]), _softmax(voices))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis, which may be empty."""
    if not logits.shape[-1]:
        return logits
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _key(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Memory:
    """The log-odds of the paragraphs scored last, by a digest of their text."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._logits: OrderedDict[bytes, NDArray[np.float64]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, keys: Sequence[bytes]) -> list[NDArray[np.float64] | None]:
        with self._lock:
            return [self._logits.get(key) for key in keys]

    def keep(self, keys: Sequence[bytes], logits: NDArray[np.float64]) -> None:
        with self._lock:
            for key, row in zip(keys, logits, strict=True):
                self._logits[key] = row.copy()
            while len(self._logits) > self._most:
                self._logits.popitem(last=False)
