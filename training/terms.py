"""Finding the known terms of normal texts: which columns of a model they are, and where they stand.

Words are found by runs of characters between white space, each looked into once: no word crosses white space, so that
is exact, and most runs of a text were met before.
"""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

_CHUNK = re.compile(r"\S+")
_LONGEST_KEPT = 40
_MOST_CHUNKS = 50_000
_MOST_WORDS = 200_000
_NOTHING = 0
"""The number of all chunks without a known word."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The m known terms of n texts, in the order of the texts: `lengths` (n,) how many each has, `columns` (m,)."""

    lengths: Integers
    columns: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Placed(Found):
    """Terms found, with the spans of the normal text at which they stand: `starts` (m,), `ends` (m,)."""

    starts: Integers
    ends: Integers


class Finder(Protocol):
    """How a model finds its terms."""

    def find(self, texts: Sequence[str]) -> Found:
        """The known terms of some normal texts."""

    def place(self, texts: Sequence[str]) -> Placed:
        """The same with their spans."""


def finder_of(vocabulary: Mapping[str, int], token: re.Pattern[str], longest: int) -> Finder:
    """The finder of terms of up to `longest` words."""
    return WordFinder(vocabulary, token) if longest == 1 else PhraseFinder(vocabulary, token, longest)


class _ChunkTable(dict[str, int]):
    """A number for each chunk that was met; by number, how many known words it has and where they begin in a list.

    Bounded: a table that is `full` is replaced by an empty one. Grows under a lock; who reads takes the arrays after
    the numbers, and these are then in them.
    """

    def __init__(self, vocabulary: Mapping[str, int], token: re.Pattern[str]) -> None:
        super().__init__()
        self._vocabulary, self._token = vocabulary, token
        self._growing = threading.Lock()
        self._numbers, self._used = _NOTHING + 1, 0
        self.chunks = np.zeros((2, 4096), dtype=np.int64)
        """(2, number): count of known words, and the place of the first in `words`."""
        self.words = np.zeros((3, 4096), dtype=np.int64)
        """(3, place): column, start and end within the chunk."""

    @property
    def full(self) -> bool:
        return len(self) > _MOST_CHUNKS or self._used > _MOST_WORDS

    def __missing__(self, chunk: str) -> int:
        if self._vocabulary.keys().isdisjoint(self._token.findall(chunk)):  # most that are new
            if len(chunk) <= _LONGEST_KEPT:
                self[chunk] = _NOTHING
            return _NOTHING
        get = self._vocabulary.get
        known = [(c, m.span()) for m in self._token.finditer(chunk) if (c := get(m.group())) is not None]
        with self._growing:
            number, place = self._numbers, self._used
            self._numbers, self._used = number + 1, place + len(known)
            self.chunks = _with_room(self.chunks, number + 1)
            self.words = _with_room(self.words, place + len(known))
            self.chunks[0, number], self.chunks[1, number] = len(known), place
            for at, (column, (start, end)) in enumerate(known, place):
                self.words[0, at], self.words[1, at], self.words[2, at] = column, start, end
            if len(chunk) <= _LONGEST_KEPT:
                self[chunk] = number
        return number


def _with_room(table: Integers, size: int) -> Integers:
    """The table, or a copy twice as long where it is too short."""
    if size <= table.shape[1]:
        return table
    longer = np.zeros((len(table), max(size, 2 * table.shape[1])), dtype=np.int64)
    longer[:, : table.shape[1]] = table
    return longer


class WordFinder:
    """Single words."""

    def __init__(self, vocabulary: Mapping[str, int], token: re.Pattern[str]) -> None:
        self._vocabulary, self._token = vocabulary, token
        self._table = _ChunkTable(vocabulary, token)

    def find(self, texts: Sequence[str]) -> Found:
        split = [text.split() for text in texts]
        lengths, _, places, words = self._look_up(split)
        return Found(lengths, words[0, places])

    def place(self, texts: Sequence[str]) -> Placed:
        split = [text.split() for text in texts]
        lengths, counts, places, words = self._look_up(split)
        offsets = np.fromiter(
            chain.from_iterable(map(_starts, texts, split)), dtype=np.int64, count=sum(map(len, split))
        )
        columns, starts, ends = words[:, places]
        shifts = np.repeat(offsets, counts)
        return Placed(lengths, columns, starts + shifts, ends + shifts)

    def _look_up(self, split: Sequence[list[str]]) -> tuple[Integers, Integers, Integers, Integers]:
        """Known words a text (n,) and a chunk (c,), their places (m,) in the table of words, and that table."""
        table = self._table
        if table.full:
            table = self._table = _ChunkTable(self._vocabulary, self._token)
        sizes = np.fromiter(map(len, split), dtype=np.int64, count=len(split))
        numbers = np.fromiter(
            map(table.__getitem__, chain.from_iterable(split)), dtype=np.int64, count=int(sizes.sum())
        )
        counts, firsts = table.chunks[:, numbers]
        ends = np.concatenate(([0], np.cumsum(counts)))
        places = np.arange(ends[-1]) + np.repeat(firsts - ends[:-1], counts)
        borders = ends[np.concatenate(([0], np.cumsum(sizes)))]
        return np.diff(borders), counts, places, table.words


def _starts(text: str, chunks: Sequence[str]) -> Iterator[int]:
    """Where the chunks of a text start."""
    if " ".join(chunks) != text:
        yield from (match.start() for match in _CHUNK.finditer(text))
        return
    start = 0
    for chunk in chunks:
        yield start
        start += len(chunk) + 1


class PhraseFinder:
    """Terms of one and of several words: single words first, then pairs, each in their order."""

    def __init__(self, vocabulary: Mapping[str, int], token: re.Pattern[str], longest: int) -> None:
        self._vocabulary, self._token, self._longest = vocabulary, token, longest

    def find(self, texts: Sequence[str]) -> Found:
        return self.place(texts)

    def place(self, texts: Sequence[str]) -> Placed:
        found = [list(self._known(text)) for text in texts]
        lengths = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
        table = np.array(list(chain.from_iterable(found)), dtype=np.int64).reshape(-1, 3).T
        return Placed(lengths, *table)

    def _known(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Column, start and end of every known term."""
        matches = list(self._token.finditer(text))
        words, get = [match.group() for match in matches], self._vocabulary.get
        for length in range(1, self._longest + 1):
            for first in range(len(words) - length + 1):
                column = get(words[first] if length == 1 else " ".join(words[first : first + length]))
                if column is not None:
                    yield column, matches[first].start(), matches[first + length - 1].end()
