"""Where selections begin and end: programs count the characters of a text in different ways.

The standard counts code points from 0. Programs differ in three things: whether CR and LF are a single character
(ATLAS.ti), whether a character outside the basic plane is two (JavaScript, .NET and Qt count UTF-16), and whether the
end is the last character (Potato) or the character behind it. Nothing in a project says which it is, but its selections
do: they have the text as their name, and they seldom begin or end inside a word.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

_BEYOND_THE_BASIC_PLANE = re.compile("[\U00010000-\U0010ffff]")
# Names of selections shorter than this are no evidence: they occur everywhere in a text.
_SHORTEST_NAME = 4
# Programs cut long names; a name of this length that begins alike is evidence for the beginning.
_LONG_NAME = 20
# A reading other than the standard's needs this much more evidence.
_MARGIN = 1.5
# Of a longer name, the beginning is compared alone.
_LONGEST_NAME = 2_000
_NAME_POINTS, _BEGINNING_POINTS, _OUTSIDE_POINTS = 4.0, 2.0, -10.0


@dataclass(frozen=True, slots=True)
class Position:
    """The start and end of a selection as the project has them, and its name."""

    start: int
    end: int
    name: str


@dataclass(frozen=True, slots=True)
class Counting:
    """A way to count the characters of a text, which `text` is read in."""

    text: str
    last_included: bool = False
    # Places, in UTF-16, of the characters that count twice; empty where none does.
    double: tuple[int, ...] = ()

    def span(self, position: Position) -> tuple[int, int] | None:
        """Returns start and end of a selection as Python counts them; None where that is not inside the text."""
        start, end = self._place(position.start), self._place(position.end + self.last_included)
        return (start, end) if start is not None and end is not None and 0 <= start < end <= len(self.text) else None

    def _place(self, position: int) -> int | None:
        before = bisect_left(self.double, position)
        inside = before > 0 and self.double[before - 1] == position - 1
        return None if inside else position - before


def counting_of(text: str, positions: Sequence[Position], origin: str) -> Counting:
    """Returns how a project of that origin counts in a text, judged by the selections; in doubt as the standard."""
    first, *others = _countings(text)
    usual = next((c for c in (first, *others) if _is_usual_of(c, first, origin)), first)
    best, most = usual, _points(usual, positions) + _MARGIN
    for counting in (first, *others):
        points = _points(counting, positions)
        if points > most:
            best, most = counting, points
    return best


def _countings(text: str) -> Iterator[Counting]:
    """Yields the ways to count in which this text differs, the standard's first."""
    joined = text.replace("\r\n", "\n")
    for last_included, counted in product((False, True), [text] if joined == text else [text, joined]):
        yield Counting(counted, last_included)
        double = _double_places(counted)
        if double:
            yield Counting(counted, last_included, double)


def _is_usual_of(counting: Counting, standard: Counting, origin: str) -> bool:
    """Whether a program of that origin is known to count so."""
    name = origin.lower()
    joined = counting.text != standard.text
    if "potato" in name:
        return counting.last_included and not joined and not counting.double
    return "atlas" in name and not counting.last_included and not counting.double and joined


def _double_places(text: str) -> tuple[int, ...]:
    return tuple(match.start() + earlier for earlier, match in enumerate(_BEYOND_THE_BASIC_PLANE.finditer(text)))


def _points(counting: Counting, positions: Sequence[Position]) -> float:
    return sum(_points_of(counting, position) for position in positions)


def _points_of(counting: Counting, position: Position) -> float:
    """Returns how much speaks for a counting: the name of the selection, and words that are whole."""
    span = counting.span(position)
    if span is None:
        return _OUTSIDE_POINTS
    text, (start, end) = counting.text, span
    points = _name_points(text[start : min(end, start + 2 * _LONGEST_NAME)], position.name[:_LONGEST_NAME])
    points += _is_edge(text, start) + _is_edge(text, end)
    return points - 0.5 * (text[start].isspace() + text[end - 1].isspace())


def _name_points(selected: str, name: str) -> float:
    selected, name = " ".join(selected.split()), " ".join(name.split())
    if len(name) < _SHORTEST_NAME:
        return 0.0
    if selected == name:
        return _NAME_POINTS
    return _BEGINNING_POINTS if len(name) >= _LONG_NAME and selected.startswith(name[:_LONG_NAME]) else 0.0


def _is_edge(text: str, place: int) -> bool:
    """Whether no word goes on across a place of the text."""
    return place in (0, len(text)) or not (text[place - 1].isalnum() and text[place].isalnum())
