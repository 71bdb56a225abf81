"""Which blocks of a page another extraction of the same page contains, although the two differ in some characters.

The words of both are compared in order, in their normal form: accents, invisible characters and entities do not matter,
and a few words may be missing. Each stretch of the other text is used once, so that a teaser that repeats a sentence of
the article does not count as a part of it too.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from labels.normalise import normalise

# Where writing has no spaces, a character counts as a word.
_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")
_RUN = 3
# Of a block, this share of words must stand in the stretch.
_ENOUGH = 0.5
# Words that a stretch may have more than its block.
_ROOM = 8
# Of a run of words that occurs more often, as where reports begin alike, only the first few unused places are tried:
# following all of them would take long.
_MOST_PLACES = 50
_FEW_PLACES = 5


def blocks_within(blocks: Sequence[str], preferred: Sequence[bool], text: str) -> set[int]:
    """Returns the numbers of the blocks that the text contains, and of blocks without words.

    Preferred blocks choose their stretch first, and among them the longer ones.
    """
    stretches = _Stretches(_words(text))
    contents = [_words(block) for block in blocks]
    order = sorted(range(len(blocks)), key=lambda number: (not preferred[number], -min(len(contents[number]), 20)))
    return {number for number in order if not contents[number] or stretches.use(contents[number])}


def _words(text: str) -> list[str]:
    return _WORD.findall(normalise(text))


class _Stretches:
    """The words of a text, of which stretches are used up."""

    def __init__(self, words: Sequence[str]) -> None:
        self._used = bytearray(len(words))
        self._places: dict[tuple[str, ...], list[int]] = {}
        for size in range(1, _RUN + 1):
            for place in range(len(words) - size + 1):
                self._places.setdefault(tuple(words[place : place + size]), []).append(place)
        # By place, the run there as the first of its places, which is quick to compare.
        self._runs = [-1] * len(words)
        for run, places in self._places.items():
            if len(run) == _RUN:
                for place in places:
                    self._runs[place] = places[0]
        # By run, how many of its places are known to be used.
        self._passed: dict[tuple[str, ...], int] = {}

    def use(self, block: Sequence[str]) -> bool:
        """Uses the stretch that has most of the block's words in their order; False if none has enough of them."""
        stretch = self._whole(block) if len(block) <= _RUN else self._similar(block)
        if stretch is None:
            return False
        start, end = stretch
        self._used[start:end] = b"\1" * (end - start)
        return True

    def _whole(self, block: Sequence[str]) -> tuple[int, int] | None:
        """Returns the first unused place of a short block, which must be there as it is."""
        run = tuple(block)
        places = self._places.get(run, [])
        first = self._first_unused(run)
        return (places[first], places[first] + len(run)) if first < len(places) else None

    def _similar(self, block: Sequence[str]) -> tuple[int, int] | None:
        runs = [tuple(block[position : position + _RUN]) for position in range(len(block) - _RUN + 1)]
        # Runs of the same stretch are about as far from the beginning of the block as from its own.
        votes = Counter(
            (place - position) // _ROOM for position, run in enumerate(runs) for place in self._first_places(run)
        )
        if not votes:
            return None
        best = max(votes, key=lambda key: (votes[key] + votes.get(key + 1, 0), -key))
        # A block that repeats itself has votes for as many distances; then it begins where its first run is.
        first = next((place - n for n, run in enumerate(runs) for place in self._first_places(run)), 0) // _ROOM
        for distance in dict.fromkeys((best, first)):
            chain = _in_order(list(self._hits(runs, distance * _ROOM)))
            covered = {position + offset for position, _ in chain for offset in range(_RUN)}
            if len(covered) >= _ENOUGH * len(block):
                return chain[0][1], chain[-1][1] + _RUN
        return None

    def _first_places(self, run: tuple[str, ...]) -> Iterator[int]:
        """Yields the first unused places of a run; blocks and text have the same order, so they are the likeliest."""
        places, first = self._places.get(run, ()), self._first_unused(run)
        most = _MOST_PLACES if len(places) <= _MOST_PLACES else _FEW_PLACES
        for place in places[first : first + most]:
            if not self._is_used(place, len(run)):
                yield place

    def _first_unused(self, run: tuple[str, ...]) -> int:
        """Returns how many places of a run come before its first unused one."""
        places = self._places.get(run, ())
        first = self._passed.get(run, 0)
        while first < len(places) and self._is_used(places[first], len(run)):
            first += 1
        self._passed[run] = first
        return first

    def _is_used(self, place: int, length: int) -> bool:
        return self._used.find(1, place, place + length) >= 0

    def _hits(self, runs: Sequence[tuple[str, ...]], distance: int) -> Iterator[tuple[int, int]]:
        """Yields positions and unused places of runs in a stretch that begins at about this distance."""
        for position, run in enumerate(runs):
            places = self._places.get(run)
            first = max(0, position + distance)
            near = self._runs[first : max(0, position + distance + 2 * _ROOM)] if places else []
            if places and places[0] in near:
                for place, other in enumerate(near, first):
                    if other == places[0] and not self._is_used(place, _RUN):
                        yield position, place


def _in_order(hits: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the hits whose places ascend with their positions."""
    chain = list(hits[:1])
    for hit in hits[1:]:
        if hit[0] > chain[-1][0] and hit[1] > chain[-1][1]:
            chain.append(hit)
    return chain
