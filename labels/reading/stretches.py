"""Which blocks of a page another extraction of the same page contains, although the two differ in some characters.

The words of both are compared in order, in their normal form: accents, invisible characters and entities do not matter,
and a few words may be missing. Each stretch of the other text is used once, so that a teaser that repeats a sentence of
the article does not count as a part of it too.
"""

import re
from collections.abc import Sequence

from labels.normalise import normalise

# Where writing has no spaces, a character counts as a word.
_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")
_RUN = 3
# Of a block, this share of words must stand in the stretch.
_ENOUGH = 0.5
# Words that a stretch may have more than its block.
_ROOM = 8
# A run of words that occurs more often says too little, and following all its places would take long.
_MOST_PLACES = 50


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
        self._used = [False] * len(words)
        self._places: dict[tuple[str, ...], list[int]] = {}
        for size in range(1, _RUN + 1):
            for place in range(len(words) - size + 1):
                self._places.setdefault(tuple(words[place : place + size]), []).append(place)
        # By run, how many of its places are known to be used.
        self._passed: dict[tuple[str, ...], int] = {}

    def use(self, block: Sequence[str]) -> bool:
        """Uses the stretch that has most of the block's words in their order; False if none has enough of them."""
        stretch = self._whole(block) if len(block) <= _RUN else self._similar(block)
        if stretch is None:
            return False
        start, end = stretch
        self._used[start:end] = [True] * (end - start)
        return True

    def _whole(self, block: Sequence[str]) -> tuple[int, int] | None:
        """Returns the first unused place of a short block, which must be there as it is."""
        run = tuple(block)
        places = self._places.get(run, [])
        first = self._passed.get(run, 0)
        while first < len(places) and any(self._used[places[first] : places[first] + len(run)]):
            first += 1
        self._passed[run] = first
        return (places[first], places[first] + len(run)) if first < len(places) else None

    def _similar(self, block: Sequence[str]) -> tuple[int, int] | None:
        hits: dict[int, list[tuple[int, int]]] = {}
        for position in range(len(block) - _RUN + 1):
            places = self._places.get(tuple(block[position : position + _RUN]), ())
            for place in places if len(places) <= _MOST_PLACES else ():
                if not any(self._used[place : place + _RUN]):
                    # Runs of the same stretch are about as far from the beginning of the block as from its own.
                    hits.setdefault((place - position) // _ROOM, []).append((position, place))
        if not hits:
            return None
        best = max(hits, key=lambda key: (len(hits[key]) + len(hits.get(key + 1, ())), -key))
        chain = _in_order(sorted(hits[best] + hits.get(best + 1, [])))
        covered = {position + offset for position, _ in chain for offset in range(_RUN)}
        return (chain[0][1], chain[-1][1] + _RUN) if len(covered) >= _ENOUGH * len(block) else None


def _in_order(hits: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the hits whose places ascend with their positions."""
    chain = [hits[0]]
    for hit in hits[1:]:
        if hit[0] > chain[-1][0] and hit[1] > chain[-1][1]:
            chain.append(hit)
    return chain
