"""How probable it was that a paragraph came to be annotated, over all draws of the coding queue.

A draw records the probability with which it drew each paragraph of its pool: those that no earlier draw holds. While
the store grows, early paragraphs go through many draws and late ones through few, so the recorded probability of a
single draw is not that of being annotated at all, which the weights of Horvitz and Thompson (1952) need. A paragraph
follows any of these paths through the draws since it was stored:

    in the pool -> drawn -> annotated                          the share of the draw that is annotated
    in the pool -> drawn -> waits                              the rest
    in the pool -> drawn -> waits -> returned to the pool      as many of the rest as came back by then

    probability = sum over the draws of P(in the pool) * P(drawn from it) * (share of the draw that is annotated)

If a coder annotates all that is drawn, or returns the rest before the next draw, this is
1 - product over the draws of (1 - P(drawn) * (share that is annotated)).

Only the draw that took the paragraph records its probability. In another draw it counts as that much more or less
likely than the average paragraph as in its own draw, unless that draw took all paragraphs of its pool with the same
probability; and it has no chance in a draw that could only take others, such as those of another outlet. Which
paragraphs of a draw a coder leaves out, and which of these are returned and when, counts as chance: it must not depend
on what an annotation would say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Paragraphs whose probabilities are computed at once, so that thousands of draws fit into memory.
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Returns:
    """k returns of paragraphs to the pool, (k,) each: the place of their draw, their time, and how many they are.

    `share` is their share of the paragraphs of the draw that are not annotated.
    """

    draw: NDArray[np.int64]
    at: NDArray[np.float64]
    share: NDArray[np.float64]


def _no_returns() -> Returns:
    return Returns(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Draws:
    """m draws, (m,) each: their time, the number of units that they drew from, drew, and that were then annotated.

    `whole` are draws of articles: their units are articles, and all paragraphs of an article are equally likely. `even`
    are other draws that took all units of their pool with the same probability; none if it is empty.
    """

    at: NDArray[np.float64]
    pool: NDArray[np.float64]
    drawn: NDArray[np.float64]
    annotated: NDArray[np.float64]
    whole: NDArray[np.bool_]
    returns: Returns = field(default_factory=_no_returns)
    even: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    @property
    def alike(self) -> NDArray[np.bool_]:
        """Whether all units of the pool were equally likely, (m,)."""
        return self.whole | self.even if len(self.even) else self.whole


# For the place of a draw that could take only some paragraphs: which of n it could take, (n,).
Within = Mapping[int, NDArray[np.bool_]]


def inclusion_probabilities(
    draws: Draws, draw: ArrayLike, recorded: ArrayLike, stored_at: ArrayLike, within: Within | None = None
) -> NDArray[np.float64]:
    """Returns the probability, (n,), of n drawn paragraphs to be drawn and annotated by any of the draws.

    Each has the place of the draw that took it, the probability that this draw recorded, and the time when it was
    stored.
    """
    taken_by, probability = np.asarray(draw, dtype=np.int64), np.asarray(recorded, dtype=float)
    since, events = np.asarray(stored_at, dtype=float), _events(draws)
    probabilities = []
    for start in range(0, len(taken_by), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        of_part = {place: possible[part] for place, possible in (within or {}).items()}
        in_each = _drawn_in_each(draws, taken_by[part], probability[part], since[part], of_part)
        probabilities.append(_annotated(in_each, draws, events))
    return np.concatenate(probabilities or [np.zeros(0)])


def _drawn_in_each(
    draws: Draws,
    taken_by: NDArray[np.int64],
    probability: NDArray[np.float64],
    since: NDArray[np.float64],
    within: Within,
) -> NDArray[np.float64]:
    """The probability, (m, n), of n paragraphs to be drawn by each of m draws while they are in its pool."""
    average = draws.drawn / np.maximum(draws.pool, 1)
    # An article that was drawn as a whole says nothing of how likely a draw of paragraphs is to take its paragraphs.
    likelier = np.where(draws.whole[taken_by], 1.0, probability / average[taken_by])
    likelier = np.where(draws.alike[:, None], 1.0, likelier[None, :])
    in_each = np.minimum(1.0, likelier * average[:, None]) * (since[None, :] <= draws.at[:, None])
    for place, possible in within.items():
        in_each[place] *= possible
    in_each[taken_by, np.arange(len(taken_by))] = probability
    return np.asarray(in_each)


# A draw, or a return to the pool if it has a share: its time, the place of the draw, and the share that came back.
_Event = tuple[float, int, float | None]


def _events(draws: Draws) -> list[_Event]:
    """Draws and returns in the order of time; what comes back at the time of another draw is in its pool."""
    returns = draws.returns
    # However the clock was set meanwhile, a paragraph comes back after it was drawn.
    returned_at = np.maximum(returns.at, np.nextafter(draws.at[returns.draw], np.inf))
    events: list[_Event] = [(float(at), place, None) for place, at in enumerate(draws.at)]
    events += [
        (float(at), int(place), float(share))
        for at, place, share in zip(returned_at, returns.draw, returns.share, strict=True)
    ]
    return sorted(events, key=lambda event: (event[0], event[2] is None))


def _annotated(in_each: NDArray[np.float64], draws: Draws, events: list[_Event]) -> NDArray[np.float64]:
    """The probability, (n,), to be annotated after any of the draws, from those to be drawn by each of them, (m, n)."""
    count = in_each.shape[1]
    share_annotated = draws.annotated / draws.drawn
    in_pool, annotated = np.ones(count), np.zeros(count)
    waiting: dict[int, NDArray[np.float64]] = {}
    returning = set(draws.returns.draw.tolist())
    for _, place, share in events:
        if share is not None:
            in_pool = in_pool + share * waiting[place]
            continue
        drawn = in_pool * in_each[place]
        annotated += drawn * share_annotated[place]
        in_pool = in_pool - drawn
        if place in returning:
            waiting[place] = drawn * (1 - share_annotated[place])
    return annotated
