"""The pieces of a text that an annotation can be about: its paragraphs or, as the caller wishes, the selections."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from labels.errors import ArticleError
from labels.exchange.options import Unit

# Most emojis and bullets in front of or behind a paragraph that coders leave out of a selection.
_MAX_SIGNS = 16
_NOT_SPACE = re.compile(r"\S")


class Pieces:
    """The pieces of a text that an annotation can be about: its paragraphs or, as the caller wishes, the selections."""

    def __init__(self, text: str, unit: Unit, selected: Sequence[tuple[int, int]]) -> None:
        self._text, self._unit, self._selected = text, unit, selected
        self._own: dict[tuple[int, int], Mapping[str, Any]] = {}
        self._paragraphs: Sequence[tuple[int, int]] | None = None
        self._as_selected: Mapping[tuple[int, int], tuple[int, int]] | None = None

    def add_own(self, span: tuple[int, int], metadata: Mapping[str, Any]) -> None:
        """Notes a paragraph that a file of our own marks as a paragraph."""
        self._own[span] = metadata

    def around(self, span: tuple[int, int]) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
        """Yields the pieces that a selection is about, each with what is known of it."""
        start, end = trimmed(self._text, span) or span
        if span in self._own:
            yield *span, self._own[span]
        elif self._unit == "selection":
            yield start, end, {}
        else:
            own = [(s, e) for s, e in self._own if s < end and start < e]
            for piece in own or list(self._paragraphs_of(start, end)) or [(start, end)]:
                yield *piece, self._own.get(piece, {})

    def _paragraphs_of(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yields the paragraphs that a span reaches into."""
        if self._as_selected is None:
            self._as_selected = dict(self._whole_selections())
        yield from (self._as_selected.get(piece, piece) for piece in self._cut_between(start, end))

    def _whole_selections(self) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Yields paragraphs that were selected but for signs at their ends, such as an emoji, each as selected."""
        for span in self._selected:
            start, end = trimmed(self._text, span) or span
            # Only the first two can hold all of it.
            for first, last in islice(self._cut_between(start, end), 2):
                rest = (
                    self._text[first : min(start, first + _MAX_SIGNS)] + self._text[max(end, last - _MAX_SIGNS) : last]
                )
                left_out = max(start - first, 0) + max(last - end, 0)
                if first <= start and end <= last and 0 < left_out == len(rest) and _has_signs_only(rest):
                    yield (first, last), (start, end)

    def _cut_between(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        cut = self._cut()
        first = max(bisect_right(cut, (start, end)) - 1, 0)
        while first < len(cut) and cut[first][0] < end:
            if cut[first][1] > start:
                yield cut[first]
            first += 1

    def whole(self) -> tuple[int, int] | None:
        """Returns the span of the whole text; None if it has several paragraphs and paragraphs are the unit."""
        if self._unit == "paragraph" and len(self._cut()) > 1:
            return None
        return trimmed(self._text, (0, len(self._text)))

    def _cut(self) -> Sequence[tuple[int, int]]:
        """Returns the spans of all paragraphs, headings included: what a coder selects is not skipped."""
        if self._paragraphs is None:
            self._paragraphs = sorted(_cut_paragraphs(self._text))
        return self._paragraphs


def _cut_paragraphs(text: str) -> Iterator[tuple[int, int]]:
    from labels.paragraphs import split_text  # noqa: PLC0415 - every command knows the formats, and few cut a text

    try:
        article = split_text(text)
    except ArticleError:
        whole = trimmed(text, (0, len(text)))
        if whole:
            yield whole
        return
    yield from ((paragraph.start, paragraph.end) for paragraph in article.paragraphs)
    yield from ((piece.start, piece.end) for piece in article.skipped)


def trimmed(text: str, span: tuple[int, int]) -> tuple[int, int] | None:
    """Returns a span without the white space at its ends, which a mouse selects too; None if there is nothing else."""
    first = _NOT_SPACE.search(text, *span)
    if first is None:
        return None
    end = span[1]
    while text[end - 1].isspace():
        end -= 1
    return first.start(), end


def _has_signs_only(text: str) -> bool:
    """Whether a text has neither letters nor numbers nor punctuation."""
    return all(unicodedata.category(character)[0] in "SZC" for character in text)
