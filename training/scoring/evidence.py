"""Evidence: the words of a paragraph with what each adds to the log-odds of a frame, all its places together."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


class Evidence(NamedTuple):
    """A word at `text[start:end]` of the scored paragraph and the log-odds that it adds to a frame at this place."""

    start: int
    end: int
    weight: float


class WordEvidence(NamedTuple):
    """The places of a word in the scored paragraph, in their order, and the log-odds that they add to a frame."""

    places: list[tuple[int, int]]
    weight: float


@dataclass(frozen=True, eq=False)
class Terms:
    """The u different words of a paragraph, in the order of the text, at m places.

    starts and ends, (m,): the places, those of the first word first; counts (u,): the number of places of each word;
    weights (u, k): the log-odds that a word adds to k frames, all its places together.
    """

    starts: Indices
    ends: Indices
    counts: Indices
    weights: NDArray[np.float64]

    @classmethod
    def of_places(cls, starts: Indices, ends: Indices, weights: NDArray[np.float64], words: Indices) -> "Terms":
        """Adds up the weights (m, k) of the places of a word; `words` (m,) numbers the words by their first places."""
        order = np.argsort(words, kind="stable")
        counts = np.bincount(words)
        sums = np.add.reduceat(weights[order], np.cumsum(counts) - counts, axis=0) if len(words) else weights
        return cls(starts[order], ends[order], counts, sums)

    def of_frame(self, frame: int) -> tuple[Evidence, ...]:
        """Returns all places with their weights for a frame, in the order of the text.

        The places of a word have an equal share of its weight.
        """
        shares = np.repeat(self.weights[:, frame] / self.counts, self.counts)
        order = np.argsort(self.starts, kind="stable")
        columns = (self.starts[order].tolist(), self.ends[order].tolist(), shares[order].tolist())
        return tuple(map(Evidence, *columns))

    def strongest(self, count: int) -> list[list[WordEvidence]]:
        """Returns, for each frame, its `count` weightiest words, the weightiest first.

        Words of equal weight come in the order of the text.
        """
        size = len(self.counts)
        # The bits of positive floats sort as the floats do; the lowest bits make room for the place of each word.
        place_bits = (1 << size.bit_length()) - 1
        keys = np.abs(np.ascontiguousarray(self.weights.T)).view(np.int64) | place_bits
        keys -= np.arange(size)
        keys.sort(axis=1)
        chosen = place_bits - (keys[:, : -count - 1 : -1] & place_bits)
        weights = self.weights[chosen, np.arange(len(chosen))[:, None]]
        places = list(zip(self.starts.tolist(), self.ends.tolist(), strict=True))
        ends = np.cumsum(self.counts).tolist()
        begins = [0, *ends]
        return [
            [WordEvidence(places[begins[word] : ends[word]], weight) for word, weight in zip(words, row, strict=True)]
            for words, row in zip(chosen.tolist(), weights.tolist(), strict=True)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class FrameExplanation:
    """Why a paragraph scored as it did for frame number `frame`: intercept + all evidence weights = logit."""

    logit: float
    intercept: float
    terms: Terms
    frame: int

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All known words, for and against the frame, in the order of the text."""
        return self.terms.of_frame(self.frame)


def without_evidence(logits: NDArray[np.float64], frames: int) -> list[tuple[FrameExplanation, ...]]:
    """Returns explanations of log-odds (n, c), of which the first columns are those of the frames, that show no word.

    The whole of the log-odds stands in the intercept.
    """
    none = np.zeros(0, dtype=np.int64)
    nothing = Terms(none, none, none, np.zeros((0, frames)))
    return [tuple(FrameExplanation(z, z, nothing, k) for k, z in enumerate(row)) for row in logits[:, :frames].tolist()]
