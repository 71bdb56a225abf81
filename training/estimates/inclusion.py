"""How probable it was that a paragraph came to be annotated, over all draws of the coding queue.

A draw records the probability with which it drew each paragraph from those that no earlier draw had taken. While the
store grows, early paragraphs go through many draws and late ones through few, so the recorded probability of a single
draw is not that of being annotated at all, which the weights of Horvitz and Thompson (1952) need:

    probability = 1 - product over the draws since the paragraph was stored of (1 - its probability in that draw)

Only the draw that took the paragraph records its probability. In another draw it counts as that much more or less
likely than the average paragraph as in its own draw. Paragraphs that were drawn and never annotated lower the
probability of their draw: which of them a coder leaves out counts as chance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Paragraphs whose probabilities are computed at once, so that thousands of draws fit into memory.
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Draws:
    """m draws, (m,) each: their time, the number of units that they drew from, drew, and that were then annotated.

    `whole` are draws of articles: their units are articles, and all paragraphs of an article are equally likely.
    """

    at: NDArray[np.float64]
    pool: NDArray[np.float64]
    drawn: NDArray[np.float64]
    annotated: NDArray[np.float64]
    whole: NDArray[np.bool_]


def inclusion_probabilities(
    draws: Draws, draw: ArrayLike, recorded: ArrayLike, stored_at: ArrayLike
) -> NDArray[np.float64]:
    """Returns the probability, (n,), of n drawn paragraphs to be drawn and annotated by any of the draws.

    Each has the place of the draw that took it, the probability that this draw recorded, and the time when it was
    stored.
    """
    taken_by, probability = np.asarray(draw, dtype=np.int64), np.asarray(recorded, dtype=float)
    since = np.asarray(stored_at, dtype=float)
    slices = [slice(start, start + _AT_ONCE) for start in range(0, len(taken_by), _AT_ONCE)]
    probabilities = [_probabilities(draws, taken_by[part], probability[part], since[part]) for part in slices]
    return np.concatenate(probabilities or [np.zeros(0)])


def _probabilities(
    draws: Draws, taken_by: NDArray[np.int64], probability: NDArray[np.float64], since: NDArray[np.float64]
) -> NDArray[np.float64]:
    average = draws.drawn / np.maximum(draws.pool, 1)
    # An article that was drawn as a whole says nothing of how likely a draw of paragraphs is to take its paragraphs.
    likelier = np.where(draws.whole[taken_by], 1.0, probability / average[taken_by])
    in_each = np.where(draws.whole[None, :], average[None, :], np.minimum(1.0, likelier[:, None] * average[None, :]))
    own = np.arange(len(taken_by)), taken_by
    in_each[own] = probability
    in_each *= draws.annotated / draws.drawn
    there = since[:, None] <= draws.at[None, :]
    there[own] = True
    return np.asarray(1 - np.prod(np.where(there, 1 - in_each, 1.0), axis=1))
