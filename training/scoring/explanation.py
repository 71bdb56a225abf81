"""Explanations of scores: the words of a paragraph and the log-odds that they add to each frame."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Evidence(NamedTuple):
    """Words at `text[start:end]` of the scored paragraph and the log-odds that they add to a frame."""

    start: int
    end: int
    weight: float


@dataclass(frozen=True, eq=False)
class Terms:
    """The m known terms of a paragraph: starts and ends, (m,), and the log-odds they add to k frames, (m, k)."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    weights: NDArray[np.float64]

    def of_frame(self, frame: int) -> tuple[Evidence, ...]:
        """Returns all terms with their weights for a frame, in the order of the text."""
        return tuple(map(Evidence, self.starts.tolist(), self.ends.tolist(), self.weights[:, frame].tolist()))

    def strongest(self, count: int) -> list[list[tuple[int, int, float]]]:
        """Returns, for each frame, start, end and weight of its `count` weightiest terms, the weightiest first.

        Terms of equal weight come in the order of the text.
        """
        size = len(self.starts)
        # The bits of positive floats sort as the floats do; the lowest bits make room for the place of each term.
        place_bits = (1 << size.bit_length()) - 1
        keys = np.abs(np.ascontiguousarray(self.weights.T)).view(np.int64) | place_bits
        keys -= np.arange(size)
        keys.sort(axis=1)
        places = place_bits - (keys[:, : -count - 1 : -1] & place_bits)
        weights = self.weights[places, np.arange(len(places))[:, None]]
        rows = zip(self.starts[places].tolist(), self.ends[places].tolist(), weights.tolist(), strict=True)
        return [list(zip(starts, ends, row, strict=True)) for starts, ends, row in rows]


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
