"""Finding the known terms of normal texts: their columns in a model and their places in the text.

`WordFinder` finds single words, all that the shipped model knows, without a Python step per word: it cuts runs of
letters from the bytes of the texts, packs up to sixteen letters into two integers and looks these up in a table of the
vocabulary. Longer words and words with letters outside ASCII take a slow path to the same result.
"""

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
_Packed = NDArray[np.uint64]

# The words that scikit-learn's vectorisers cut by default.
WORD_PATTERN = r"(?u)\b\w\w+\b"


@dataclass(frozen=True, slots=True, eq=False)
class TermMatches:
    """The m known terms of n texts, in the order of the texts, and their places in the text.

    `lengths` (n,): number of matches in each text; `columns`, `starts` and `ends`: (m,).
    """

    lengths: Integers
    columns: Integers
    starts: Integers
    ends: Integers


class Finder(Protocol):
    """Finds the terms of a model."""

    def find(self, texts: Sequence[str]) -> TermMatches:
        """Returns the known terms of n normal texts."""


def finder_of(vocabulary: Mapping[str, int], token: re.Pattern[str], longest: int) -> Finder:
    """Returns the finder of terms of up to `longest` words."""
    if longest == 1 and token.pattern == WORD_PATTERN:
        return WordFinder(vocabulary, token)
    return PhraseFinder(vocabulary, token, longest)


_WIDTH = 16
# Packing the last word reads this far beyond the text.
_PADDING = b"\n" * _WIDTH

# Stands for every character outside ASCII, which may be a letter.
_FOREIGN = 0x80
_FOREIGN_ANYWHERE = np.uint64(0x8080808080808080)
_WORD = frozenset(string.ascii_letters + string.digits + "_")
# For each byte, whether it may be part of a word.
_LETTERS = bytes(code >= _FOREIGN or chr(code) in _WORD for code in range(256))

# By size of a word: which bits of the eight bytes at its start, and of the next eight, belong to it.
_LOW, _HIGH = (
    np.array([(1 << 8 * min(max(size - first, 0), 8)) - 1 for size in range(_WIDTH + 1)], dtype=np.uint64)
    for first in (0, 8)
)


class WordFinder:
    """Finds single words of two or more letters."""

    def __init__(self, vocabulary: Mapping[str, int], token: re.Pattern[str]) -> None:
        self._vocabulary, self._token = vocabulary, token
        self._table = _WordTable({word: column for word, column in vocabulary.items() if _packs(word)})

    def find(self, texts: Sequence[str]) -> TermMatches:
        text = "\n".join(texts)
        characters = _characters(text)
        starts, ends = _runs(characters)
        short = ends - starts <= _WIDTH
        low, high = _pack(characters, starts[short], ends[short])
        columns = np.full(len(starts), -1)
        columns[short] = self._table.columns(low, high)
        slow = ~short
        slow[short] = (low | high) & _FOREIGN_ANYWHERE != 0
        known = np.flatnonzero(columns >= 0)
        matches = np.stack([columns[known], starts[known], ends[known]])
        if slow.any():
            more = self._find_slowly(text, starts[slow].tolist(), ends[slow].tolist())
            matches = np.concatenate([matches, np.array(list(more), dtype=np.int64).reshape(-1, 3).T], axis=1)
            matches = matches[:, np.argsort(matches[1])]
        begins = np.concatenate(([0], np.cumsum([len(text) + 1 for text in texts], dtype=np.int64)))
        lengths = np.diff(np.searchsorted(matches[1], begins))
        shifts = np.repeat(begins[:-1], lengths)
        return TermMatches(lengths, matches[0], matches[1] - shifts, matches[2] - shifts)

    def _find_slowly(self, text: str, starts: list[int], ends: list[int]) -> Iterator[tuple[int, int, int]]:
        """Yields column, start and end of the known words within runs of letters."""
        for start, end in zip(starts, ends, strict=True):
            for match in self._token.finditer(text[start:end]):
                column = self._vocabulary.get(match.group())
                if column is not None:
                    yield column, start + match.start(), start + match.end()


def _characters(text: str) -> bytes:
    """Encodes each character as a byte and appends the padding."""
    if text.isascii():
        return text.encode() + _PADDING
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    narrowed: bytes = np.minimum(codes, _FOREIGN).astype(np.uint8).tobytes()
    return narrowed + _PADDING


def _runs(characters: bytes) -> tuple[Integers, Integers]:
    """Returns starts and ends of the runs of two or more letters."""
    inside = np.frombuffer(characters.translate(_LETTERS), dtype=np.bool_)
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    if inside[0]:
        edges = np.concatenate(([0], edges))
    starts, ends = edges[::2], edges[1::2]
    several = ends - starts > 1
    return starts[several], ends[several]


def _pack(characters: bytes, starts: Integers, ends: Integers) -> tuple[_Packed, _Packed]:
    """Packs the up to sixteen letters of each run into two integers; different runs get different integers."""
    at = np.ndarray(len(characters) - 7, dtype="<u8", buffer=characters, strides=(1,))
    sizes = ends - starts
    return at[starts] & _LOW[sizes], at[starts + 8] & _HIGH[sizes]


def _packs(word: str) -> bool:
    return word.isascii() and 1 < len(word) <= _WIDTH


class _WordTable:
    """A hash table from packed words to columns. A bucket seldom holds more than a single word."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        letters = "".join(word.ljust(_WIDTH, "\0") for word in vocabulary).encode()
        low, high = np.frombuffer(letters, dtype="<u8").reshape(-1, 2).T
        self._unused_bits = np.uint64(64 - max(1, (4 * len(vocabulary)).bit_length()))
        bucket = self._bucket(low, high)
        order = np.argsort(bucket, kind="stable")
        # An entry that matches no word follows the last, for lookups in an empty bucket.
        self._low, self._high = np.append(low[order], np.uint64(0)), np.append(high[order], np.uint64(0))
        self._columns = np.append(np.fromiter(vocabulary.values(), dtype=np.int64, count=len(vocabulary))[order], -1)
        buckets = np.arange(2 ** (64 - int(self._unused_bits)) + 1)
        self._first = np.searchsorted(bucket[order], buckets)

    def columns(self, low: _Packed, high: _Packed) -> Integers:
        """Returns the columns of packed words, -1 for words outside the vocabulary."""
        bucket = self._bucket(low, high)
        place = self._first[bucket]
        columns = np.where(self._is(place, low, high), self._columns[place], -1)
        left = np.flatnonzero(columns < 0)
        place, last, low, high = place[left] + 1, self._first[bucket[left] + 1], low[left], high[left]
        while (more := place < last).any():
            left, place, last, low, high = left[more], place[more], last[more], low[more], high[more]
            same = self._is(place, low, high)
            columns[left[same]] = self._columns[place[same]]
            place += 1
        return columns

    def _is(self, place: Integers, low: _Packed, high: _Packed) -> NDArray[np.bool_]:
        return np.asarray((self._low[place] == low) & (self._high[place] == high))

    def _bucket(self, low: _Packed, high: _Packed) -> Integers:
        mixed = (low * _ODD[0]) ^ (high * _ODD[1])
        mixed = (mixed ^ (mixed >> _HALF)) * _ODD[0]
        return np.asarray(mixed >> self._unused_bits, dtype=np.int64)


# Odd numbers without a pattern in their bits: multiplying by them spreads every bit of a word upwards.
_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], dtype=np.uint64)
_HALF = np.uint64(32)


class PhraseFinder:
    """Finds terms of up to several words: first single words, then pairs and so on, each in the order of the text."""

    def __init__(self, vocabulary: Mapping[str, int], token: re.Pattern[str], longest: int) -> None:
        self._vocabulary, self._token, self._longest = vocabulary, token, longest

    def find(self, texts: Sequence[str]) -> TermMatches:
        matches = [list(self._known(text)) for text in texts]
        lengths = np.fromiter(map(len, matches), dtype=np.int64, count=len(matches))
        table = np.array(list(chain.from_iterable(matches)), dtype=np.int64).reshape(-1, 3).T
        return TermMatches(lengths, *table)

    def _known(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Yields column, start and end of every known term."""
        matches = list(self._token.finditer(text))
        words, get = [match.group() for match in matches], self._vocabulary.get
        for length in range(1, self._longest + 1):
            for first in range(len(words) - length + 1):
                column = get(words[first] if length == 1 else " ".join(words[first : first + length]))
                if column is not None:
                    yield column, matches[first].start(), matches[first + length - 1].end()
