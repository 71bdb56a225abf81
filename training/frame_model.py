"""`FrameModel`: a scorer with its card; scores paragraphs and says which words carried a score."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.card import ModelCard
from training.scorer import FrameExplanation, Scorer, scorer_of, sigmoid

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_REMEMBERED = 20_000


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
        return cls(scorer_of(pipeline), card)

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated scores, shape (n, k), of paragraphs as they were submitted."""
        keys = [_key(text) for text in texts]
        scores = np.empty((len(texts), len(self.card.frames)))
        missing = []
        for row, found in enumerate(self._known.find(keys)):
            if found is None:
                missing.append(row)
            else:
                scores[row] = found
        if missing:
            computed = sigmoid(self._scorer.logits([texts[row] for row in missing]))
            scores[missing] = computed
            self._known.keep([keys[row] for row in missing], computed)
        return scores

    def score_and_explain(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], list[tuple[FrameExplanation, ...]]]:
        """Scores (n, k) and, for each paragraph, the explanation of each frame."""
        logits, explanations = self._scorer.explain(texts)
        return sigmoid(logits), explanations

    def known_share(self, text: str) -> float:
        """Which share of the words of a text occurred in training; 0 where that cannot be told."""
        return self._scorer.known_share(text)


def _key(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Memory:
    """The scores of the paragraphs scored last, by a digest of their text."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._scores: OrderedDict[bytes, NDArray[np.float64]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, keys: Sequence[bytes]) -> list[NDArray[np.float64] | None]:
        with self._lock:
            return [self._scores.get(key) for key in keys]

    def keep(self, keys: Sequence[bytes], scores: NDArray[np.float64]) -> None:
        with self._lock:
            for key, row in zip(keys, scores, strict=True):
                self._scores[key] = row.copy()
            while len(self._scores) > self._most:
                self._scores.popitem(last=False)
