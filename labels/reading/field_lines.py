"""Field lines of texts exported from ProQuest, Nexis and Factiva: set aside, and read as the imprint of the article.

A text counts as an export only if it has several of the fields of such an archive.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labels.reading.imprint import Imprint, first_known, imprint_of
from labels.reading.lines import Span, has_more_words, line_spans
from labels.reading.nexis import read_nexis

_NAMES = (
    "title", "author", "publication info", "publication title", "publication date", "publication year",
    "publication subject", "publisher", "place of publication", "country of publication", "abstract", "links",
    "subject", "subject term", "location", "people", "person", "company / organization", "company", "organization",
    "pages", "first page", "issn", "source type", "source attribution", "language of publication", "language",
    "document type", "document feature", "proquest document id", "document url", "copyright", "last updated",
    "database", "section", "dateline", "word count", "credit", "column", "volume", "issue", "identifier / keyword",
    "classification", "edition", "length", "byline", "load-date", "publication-type", "headline", "graphic",
    "country", "city", "state", "ticker", "industry", "geographic", "journal-code", "distribution",
    "correction-date", "highlight", "series", "copyright notice", "accession number", "date", "source", "url",
)  # fmt: skip
_TEXT_NAMES = ("full text", "text", "body", "fulltext")
_COLON_FIELD = re.compile(rf"({'|'.join(map(re.escape, (*_NAMES, *_TEXT_NAMES)))})\s*:(?:\s+|$)", re.IGNORECASE)
_CODES = (
    "HD", "BY", "CR", "WC", "PD", "ET", "SN", "SC", "ED", "PG", "VOL", "LA", "CY", "LP", "TD", "CO", "IN", "NS",
    "RE", "IPC", "IPD", "PUB", "AN", "SE", "CLM", "CT", "RF", "ART", "NGC",
)  # fmt: skip
_CODE_FIELD = re.compile(rf"({'|'.join(_CODES)})(?:[ \t]+|$)")
_CODES_OF_TEXT = ("LP", "TD")
# A single line that only an archive writes.
_UNMISTAKABLE = re.compile(
    r"(?:LOAD-DATE|PUBLICATION-TYPE|JOURNAL-CODE|CORRECTION-DATE)\s*:\s.*|LENGTH:\s*[\d,]+ words|\d+ of \d+ DOCUMENTS"
    r"|Document \d+ of \d+|End of Document|ProQuest document (?:link|ID:?.*)|_{10,}"
    r"|Document [A-Z]{1,8}\d{8,16}[0-9a-z]{6,10}",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"^[ \t]*(?:Document )?(?P<number>\d{1,6}) of (?P<all>\d{1,6})(?: DOCUMENTS)?[ \t\r]*$",
    re.IGNORECASE | re.MULTILINE,
)
_END_OF_DOCUMENT = re.compile(
    r"^[ \t]*(?:End of Document|Document [A-Z]{1,8}\d{8,16}[0-9a-z]{6,10})[ \t\r]*$", re.IGNORECASE | re.MULTILINE
)
_MAIL_FIELD = re.compile(r"([A-Za-z][A-Za-z-]{1,40}):(?:\s|$)")
_MOST_MAIL_FIELDS = 60
_FEWEST_FIELDS, _FEWEST_CODES = 3, 4
_TITLES, _AUTHORS = ("title", "headline", "HD"), ("author", "byline", "BY")
_OUTLETS, _ADDRESSES = ("publication title", "SN", "publication info", "source"), ("url",)
_DATES = ("publication date", "PD", "date", "publication info")
_OUTLET_END = re.compile(r"[;\[].*", re.DOTALL)
_MOST_WORDS_OF_A_REST = 15


@dataclass(frozen=True, slots=True)
class Export:
    """The spans of an export's fields and of its texts, both in order, and what the fields say of the article."""

    fields: tuple[Span, ...]
    texts: tuple[Span, ...]
    imprint: Imprint


def read_export(text: str) -> Export | None:
    """Reads a text as an export of an archive; None if it is none."""
    lines = list(_lines(text))
    if mail := _read_mail(text, lines):
        return mail
    for pattern, fewest in ((_COLON_FIELD, _FEWEST_FIELDS), (_CODE_FIELD, _FEWEST_CODES)):
        labels = {start: match for start, end in lines if (match := pattern.match(text, start, end))}
        if pattern is _COLON_FIELD and labels and (newspaper := _read_newspaper(text, lines, labels)):
            return newspaper
        names = {_name(match) for match in labels.values()}
        if len(names) >= fewest and (pattern is _COLON_FIELD or names & {"HD", "SN"}):
            return _read(text, lines, labels)
    return None


def _read_mail(text: str, lines: Sequence[Span]) -> Export | None:
    """Reads the head of an e-mail, up to the first blank line; None where the text does not begin with one."""
    first = next((place for place, (start, end) in enumerate(lines) if start < end), len(lines))
    blank = next((place for place in range(first, len(lines)) if lines[place][0] == lines[place][1]), len(lines))
    head = [(span, _MAIL_FIELD.match(text, *span)) for span in lines[first:blank]]
    if not head or head[0][1] is None or len(head) > _MOST_MAIL_FIELDS:
        return None
    values: dict[str, str] = {}
    for (_, end), match in head:
        if match is not None:
            values.setdefault(match[1].lower(), text[match.end() : end].strip())
    rest = [span for span in lines[blank:] if span[0] < span[1]]
    if not rest or not {"from", "subject"} <= values.keys() or values.keys().isdisjoint(("date", "sent")):
        return None
    imprint = imprint_of(title=values["subject"], date=values.get("date") or values.get("sent"))
    return Export(tuple(span for span, _ in head), ((rest[0][0], rest[-1][1]),), imprint)


def _read_newspaper(text: str, lines: Sequence[Span], labels: dict[int, re.Match[str]]) -> Export | None:
    page = read_nexis(text, lines, {start: (_name(match), match.end()) for start, match in labels.items()})
    if page is None:
        return None
    fields = [(start, end) for start, end in (*lines[: page.first], *lines[page.end :]) if start < end]
    texts = [(start, end) for start, end in lines[page.first : page.end] if start < end]
    first, match = texts[0][0], labels.get(texts[0][0])
    if match is not None and _begins_text(match):
        fields.append((first, match.end()))
        first = match.end()
    return Export(tuple(fields), ((first, texts[-1][1]),), page.imprint)


def is_field_line(piece: str) -> bool:
    """Whether a piece is a line that only an archive writes."""
    return len(piece) <= 200 and _UNMISTAKABLE.fullmatch(piece) is not None


def _name(match: re.Match[str]) -> str:
    return match[1] if match.re is _CODE_FIELD else match[1].lower()


def _lines(text: str) -> Iterator[Span]:
    """Yields the spans of all lines without their margins; a blank line has start == end."""
    for position, stop in line_spans(text):
        content = text[position:stop]
        start = position + len(content) - len(content.lstrip())
        yield start, max(start, position + len(content.rstrip()))


def _read(text: str, lines: Sequence[Span], labels: dict[int, re.Match[str]]) -> Export:
    text_labels = [start for start, match in labels.items() if _begins_text(match)]
    fields: list[Span] = []
    texts: list[Span] = []
    # The lines of each value: joining them one by one would take time that grows with the square of their number.
    values: dict[str, list[str]] = {}
    field, is_open, in_text = "", False, not text_labels
    for start, end in lines:
        if start == end:
            is_open = is_open and not any(values.get(field, ()))
            continue
        match = labels.get(start)
        if match is not None and _begins_text(match):
            fields.append((start, min(match.end(), end)))
            if match.end() < end:
                texts.append((match.end(), end))
            is_open, in_text = False, True
        elif match is not None:
            field, is_open = _name(match), True
            in_text = in_text and not text_labels
            values.setdefault(field, [text[match.end() : end].strip()])
            fields.append((start, end))
        elif is_open and _continues(text, values[field][-1], start, end):
            values[field].append(text[start:end])
            fields.append((start, end))
        elif in_text or start > max(text_labels):
            texts.append((start, end))
            is_open = False
        else:
            fields.append((start, end))
    whole = {name: " ".join(filter(None, parts)) for name, parts in values.items()}
    return Export(tuple(fields), tuple(_stretches(texts, fields)), _imprint(whole))


def _begins_text(match: re.Match[str]) -> bool:
    return _name(match) in _TEXT_NAMES or _name(match) in _CODES_OF_TEXT


def _continues(text: str, above: str, start: int, end: int) -> bool:
    """Whether a line below a line of a field still belongs to it: the field is empty, or its list goes on."""
    if not above:
        return True
    return above.endswith((";", ",")) and not has_more_words(text[start:end], _MOST_WORDS_OF_A_REST)


def _stretches(texts: Sequence[Span], fields: Sequence[Span]) -> Iterator[Span]:
    """Yields the stretches of text lines between which no field stands."""
    starts = sorted(start for start, _ in fields)
    place = 0
    stretch: Span | None = None
    for start, end in texts:
        interrupted = False
        while place < len(starts) and starts[place] < start:
            interrupted = interrupted or (stretch is not None and starts[place] >= stretch[1])
            place += 1
        if stretch is not None and not interrupted:
            stretch = stretch[0], end
            continue
        if stretch is not None:
            yield stretch
        stretch = start, end
    if stretch is not None:
        yield stretch


def _imprint(values: dict[str, str]) -> Imprint:
    outlet = first_known(values, _OUTLETS)
    return imprint_of(
        title=first_known(values, _TITLES),
        author=first_known(values, _AUTHORS),
        outlet=_OUTLET_END.sub("", outlet).rstrip() if outlet else None,
        url=first_known(values, _ADDRESSES),
        date=first_known(values, _DATES),
    )


def separate_documents(text: str) -> list[str]:
    """The documents of an export that holds several; the text itself, as it is, where it holds a single one.

    What counts the documents, or ends each of them, stands on a line of its own; every part must be an export by
    itself, so that an article is not cut because of what it quotes. Only a list of results before the first document
    and the summary of a search after the last are none, and left out.
    """
    for places, outside in ((_starts(text), 0), (_ends(text), -1)):
        parts = list(_parts(text, places))
        if places and read_export(parts[outside]) is None:
            del parts[outside]
        if len(parts) > 1 and all(read_export(part) is not None for part in parts):
            return parts
    return [text]


def _starts(text: str) -> list[int]:
    """Where documents begin that are counted as "2 of 7 DOCUMENTS", each the next and all of the same number."""
    matches = list(_COUNTED.finditer(text))
    numbers = [int(match["number"]) for match in matches]
    is_count = len({match["all"] for match in matches}) == 1 and numbers == sorted(set(numbers))
    return [match.start() for match in matches] if is_count else []


def _ends(text: str) -> list[int]:
    return [match.end() for match in _END_OF_DOCUMENT.finditer(text)]


def _parts(text: str, places: Sequence[int]) -> Iterator[str]:
    return (text[start:end] for start, end in pairwise([0, *places, len(text)]))
