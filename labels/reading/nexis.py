"""Newspaper articles as Nexis exports them: what stands above and below the text, and what it says of the article.

Above the text stand outlet, date and edition, without names of fields: in older exports the headline follows them, in
those of Nexis Uni they follow the headline. Below the text stands a run of fields up to the end. Between the two
everything is text, whatever words its lines begin with. The date on which an archive loaded an article is not the date
of its publication.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labels.reading.headings import ends_with_stop
from labels.reading.imprint import Imprint, imprint_of
from labels.reading.lines import Span, has_more_words

# By the start of its line: the name of a field, in lower case, and where its value begins.
Labels = Mapping[int, tuple[str, int]]

_WEEKDAY = r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|mon|tue|wed|thu|fri|sat|sun)\.?"
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?"
_DAY = rf"(?:{_MONTH}\s+\d{{1,2}},?\s+\d{{4}}|\d{{1,2}}\s+{_MONTH},?\s+\d{{4}})"
_TIME = r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:\s*[ap]\.?m\.?)?(?:\s+[a-z]{2,4})?"
_EDITION = r"(?:[\w.'’&/]+[ ,–—-]+){0,4}(?:editions?|final)\b(?:[ ,–—-]+\w+){0,3}"
_DATE_LINE = re.compile(
    rf"(?:{_WEEKDAY},?\s+)?{_DAY}(?:,?\s+(?:{_WEEKDAY}|{_TIME}))*(?:\s*[,;–—-]\s*(?P<edition>{_EDITION}))?",
    re.IGNORECASE,
)
_EDITION_LINE = re.compile(_EDITION, re.IGNORECASE)
_EDITION_OF_OUTLET = re.compile(rf"\s+[–—-]\s+{_EDITION}", re.IGNORECASE)
_NUMBER_LINE = re.compile(r"(?:document )?\d+ of \d+(?: documents)?", re.IGNORECASE)
_SMALL_PRINT = re.compile(
    r"(?:copyright\s+)?(?:©|\(c\)|copyright\s+\d{4}).*|all rights reserved\.?|correction appended"
    r"|supplied by [^.!?]{1,60}|page \d+ of \d+|link to (?:image|story|original|pdf)",
    re.IGNORECASE,
)
_END_LINE = re.compile(r"end of document|_{10,}", re.IGNORECASE)
_WORDS_OF_LENGTH = re.compile(r"[\d,.]+ words", re.IGNORECASE)
_BY = re.compile(r"by\s+(?=[A-ZÀ-ÖØ-Þ])", re.IGNORECASE)

_ABOVE = frozenset(("byline", "section", "length", "dateline", "headline", "highlight", "series", "title", "edition"))
# The values of these may go on on the next line. That below another may be the text.
_ABOVE_LONG = frozenset(("headline", "title", "section", "highlight"))
_BELOW = frozenset((
    "load-date", "language", "publication-type", "journal-code", "correction-date", "graphic", "subject", "url",
    "industry", "geographic", "company", "organization", "person", "people", "ticker", "state", "city", "country",
    "distribution", "classification", "series", "document type", "copyright", "notes", "type",
))  # fmt: skip
_ONLY_OF_ARCHIVES = frozenset(("load-date", "publication-type", "journal-code"))
_LONE_NAMES_BELOW = frozenset(("graphic", "classification", "correction", "notes"))
_BODY, _GRAPHIC = "body", "graphic"
_KIND_OF_GRAPHIC = re.compile(
    r"(?:photo(?:graph)?|picture|image|drawing|illustration|map|chart|graph|graphic|diagram|table|cartoon|video)s?\b.{0,20}:",
    re.IGNORECASE,
)
_LONGEST_HEAD, _MOST_LINES_ABOVE, _MOST_WORDS_OF_HEAD, _MOST_WORDS_OF_SENTENCE = 400, 14, 30, 8
_FEWEST_ABOVE, _FEWEST_SIGNS, _FEWEST_WITH_EDITION = 3, 3, 2
_MOST_LINES_OF_GRAPHIC, _MOST_WORDS_OF_GRAPHIC = 4, 60
_MOST_WORDS_GOING_ON = 15
_LONGEST_VALUE = 4000


@dataclass(frozen=True, slots=True)
class NexisPage:
    """The text of an article stands in the lines from `first` to before `end`."""

    first: int
    end: int
    imprint: Imprint


def read_nexis(text: str, lines: Sequence[Span], labels: Labels) -> NexisPage | None:
    """Reads the lines of a text, blank ones included, as an article that Nexis exported; None if they are none."""
    contents = [text[start:end] for start, end in lines]
    places = {place: labels[start] for place, (start, _) in enumerate(lines) if start in labels}
    above = _first_field(contents, places)
    if above is None:
        return None
    values, first = _fields_above(text, lines, places, above)
    head = [place for place in range(above) if contents[place]]
    end = _start_of_tail(contents, places, first)
    if not any(contents[first:end]):
        return None
    below = {name: contents[place] for place, (name, _) in places.items() if place >= end}
    numbered = any(_NUMBER_LINE.fullmatch(contents[place]) for place in head)
    dated = any(_DATE_LINE.fullmatch(contents[place]) for place in head)
    is_measured = bool(_WORDS_OF_LENGTH.match(values.get("length", "")))
    is_archived = not _ONLY_OF_ARCHIVES.isdisjoint(below) or any(_END_LINE.fullmatch(line) for line in contents[end:])
    signs = (numbered, dated, is_measured, is_archived, len(values) >= _FEWEST_ABOVE, _BODY in values)
    if not (is_measured or _BODY in values) or sum(signs) < _FEWEST_SIGNS:
        return None
    if "url" in below:
        values["url"] = below["url"].split()[-1]
    return NexisPage(first, end, _imprint(contents, head, values, is_numbered=numbered))


def _first_field(contents: Sequence[str], places: Mapping[int, tuple[str, int]]) -> int | None:
    """Returns the place of the first field, if nothing above it can be a part of the text."""
    seen = 0
    for place, line in enumerate(contents):
        if place in places and places[place][0] in _ABOVE:
            return place
        seen += bool(line)
        is_long = len(line) > _LONGEST_HEAD or has_more_words(line, _MOST_WORDS_OF_HEAD)
        is_statement = _is_sentence(line) and not line.endswith("?")
        if seen > _MOST_LINES_ABOVE or is_long or (is_statement and not _SMALL_PRINT.fullmatch(line)):
            return None
    return None


def _is_sentence(line: str) -> bool:
    """Whether a line is longer than a headline with a stop, and may be a part of the text."""
    return has_more_words(line, _MOST_WORDS_OF_SENTENCE) and ends_with_stop(line)


def _fields_above(
    text: str, lines: Sequence[Span], places: Mapping[int, tuple[str, int]], first: int
) -> tuple[dict[str, str], int]:
    """Returns the values of the fields above the text, and the place of the line where the text begins."""
    values: dict[str, str] = {}
    field, place = "", first
    for place in range(first, len(lines)):
        start, end = lines[place]
        name, value_start = places.get(place, ("", start))
        line = text[start:end]
        if name in _ABOVE:
            field = name
            values.setdefault(field, text[value_start:end].strip())
        elif line.lower() == _BODY or name == _BODY:
            values[_BODY] = ""
            # The text may begin on the same line.
            return values, place if value_start < end and name else place + 1
        elif not line:
            # Below a blank line only an empty field goes on.
            field = field if field and not values[field] else ""
        elif field and _goes_on(field, values[field], line) and _is_followed_by_field(places, place):
            # No title is longer, and a value that grows with each of many lines would take ever more time.
            values[field] = f"{values[field]} {line}".strip()[:_LONGEST_VALUE]
        elif not _SMALL_PRINT.fullmatch(line):
            return values, place
    return values, place + 1


def _goes_on(field: str, value: str, line: str) -> bool:
    if field != "highlight" and _is_sentence(line):
        return False
    is_short = not has_more_words(line, _MOST_WORDS_OF_HEAD)
    return is_short and (field in _ABOVE_LONG or not value or value.endswith((";", ",")))


def _is_followed_by_field(places: Mapping[int, tuple[str, int]], place: int) -> bool:
    return any(places.get(later, ("", 0))[0] in _ABOVE for later in range(place + 1, place + 4))


def _start_of_tail(contents: Sequence[str], places: Mapping[int, tuple[str, int]], first: int) -> int:
    """Returns the place from which on there are only fields, up to the end."""
    tail: int | None = None
    above = ""
    for place in range(first, len(contents)):
        line = contents[place]
        if _is_below(places.get(place, ("", 0))[0], line):
            tail, above = (place if tail is None else tail), line
        elif not line:
            above = above if above.endswith((":", ";", ",")) else ""
        elif tail is not None and above and _continues(above, line):
            above = line
        elif not _SMALL_PRINT.fullmatch(line):
            tail, above = None, ""
    return len(contents) if tail is None else _with_graphic(contents, first, tail)


def _is_below(name: str, line: str) -> bool:
    """Whether a line is a field of the end; a sentence that begins with such a word is one only below an archive's."""
    if name in _ONLY_OF_ARCHIVES or name == _GRAPHIC:
        return True
    is_field = name in _BELOW and not _is_sentence(line)
    return is_field or _END_LINE.fullmatch(line) is not None or line.lower() in _LONE_NAMES_BELOW


def _continues(above: str, line: str) -> bool:
    """Whether a line of the end goes on with the list above it."""
    is_short = not has_more_words(line, _MOST_WORDS_GOING_ON)
    return is_short and (above.endswith((":", ";", ",")) or not ends_with_stop(line))


def _with_graphic(contents: Sequence[str], first: int, tail: int) -> int:
    """Takes the words below a picture, under a line that says only "Graphic", to the fields that follow."""
    seen = 0
    for place in range(tail - 1, first, -1):
        line = contents[place]
        if line.lower() == _GRAPHIC:
            under = next(filter(None, contents[place + 1 : tail]), "")
            return place if _KIND_OF_GRAPHIC.match(under) else tail
        seen += bool(line)
        if seen > _MOST_LINES_OF_GRAPHIC or has_more_words(line, _MOST_WORDS_OF_GRAPHIC):
            break
    return tail


def _imprint(contents: Sequence[str], head: Sequence[int], values: Mapping[str, str], *, is_numbered: bool) -> Imprint:
    """Reads the lines without names: the outlet stands right above the date, the title above the outlet or below."""
    lines = [place for place in head if not _SMALL_PRINT.fullmatch(contents[place])]
    lines = [place for place in lines if not _NUMBER_LINE.fullmatch(contents[place])]
    date = next((number for number, place in enumerate(lines) if _DATE_LINE.fullmatch(contents[place])), None)
    # Without a date, only an export that counts its documents says which line is the outlet: the first.
    place_of_outlet = (0 if is_numbered else -1) if date is None else date - 1
    outlet = contents[lines[place_of_outlet]] if 0 <= place_of_outlet < len(lines) else ""
    below = _below_date(contents, lines, date) if date is not None else lines[place_of_outlet + 1 :]
    title = " ".join(contents[place] for place in lines[: max(0, place_of_outlet)] or below)
    return imprint_of(
        title=values.get("headline") or values.get("title") or title,
        author=_BY.sub("", values.get("byline", ""), count=1),
        outlet=_EDITION_OF_OUTLET.sub("", outlet),
        url=values.get("url"),
        date=contents[lines[date]] if date is not None else None,
    )


def _below_date(contents: Sequence[str], lines: Sequence[int], date: int) -> Sequence[int]:
    """Returns the lines below the date without the edition, which a blank line divides from the title."""
    below = lines[date + 1 :]
    if len(below) < _FEWEST_WITH_EDITION:
        return below
    is_apart = below[0] == lines[date] + 1 and below[1] > below[0] + 1
    return below[1:] if is_apart or _EDITION_LINE.fullmatch(contents[below[0]]) else below
