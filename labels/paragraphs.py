"""Cuts articles into paragraphs, the unit of analysis, in the same way for coders, training and service.

Every character of the article belongs to a paragraph, belongs to a piece that is skipped with a reason, or is white
space. Offsets are code points into `SplitArticle.text`: the submitted text, the text extracted from HTML, or the
caller's paragraphs joined by blank lines.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labels.boilerplate import SkipReason, continues_related_list, is_heading, reason_to_skip
from labels.errors import ArticleError
from labels.extraction import PageBlock, extract_blocks

_LINE_BREAK = re.compile(r"[\n\r\v\f\x85\u2028\u2029](?:(?<=\r)\n)?")  # begins with a set because that is faster
_SENTENCE_END = re.compile(r"[.!?…:;][\"'”’»)\]]*$")
_NARROWEST_WRAP, _WIDEST_WRAP = 40, 120
_PARAGRAPH_GAP = "\n\n"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph, at `text[start:end]` of its article; `index` is its number there, from 0."""

    index: int
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A piece of the article that is not a paragraph, and the reason."""

    start: int
    end: int
    text: str
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class SplitArticle:
    """An article cut into paragraphs and skipped pieces, both in reading order."""

    text: str
    paragraphs: tuple[Paragraph, ...]
    skipped: tuple[Skipped, ...]


def split_text(text: str) -> SplitArticle:
    """Cuts plain text at blank lines and, unless the lines are merely wrapped, at newlines.

    Raises `ArticleError` if the text is empty or has no paragraph.
    """
    if not text.strip():
        raise ArticleError("The text is empty.", "text")
    return _split(text, [(span, None) for span in _text_spans(text)], "text")


def split_html(html: str) -> SplitArticle:
    """Cuts the article of an HTML page into paragraphs; the text around the article is skipped.

    Raises `ArticleError` if the page has no paragraph.
    """
    if not html.strip():
        raise ArticleError("The HTML is empty.", "html")
    blocks = extract_blocks(html)
    text, spans = _join([block.text for block in blocks])
    pieces = [(span, _reason_in_markup(block)) for span, block in zip(spans, blocks, strict=True)]
    return _split(text, pieces, "html")


def split_paragraphs(paragraphs: Sequence[str]) -> SplitArticle:
    """Uses the caller's paragraphs as they are, numbered by their position in the list.

    Skips only what is certainly boilerplate. Raises `ArticleError` for an empty list, for an empty paragraph, or if
    everything is boilerplate.
    """
    if not paragraphs:
        raise ArticleError("The list of paragraphs is empty.", "paragraphs")
    for index, paragraph in enumerate(paragraphs):
        if not paragraph.strip():
            raise ArticleError(f"Paragraph {index} is empty.", f"paragraphs/{index}")
    text, spans = _join(paragraphs)
    accepted: list[Paragraph] = []
    skipped: list[Skipped] = []
    for index, (start, end) in enumerate(spans):
        reason = reason_to_skip(text[start:end].strip())
        if reason:
            skipped.append(Skipped(start, end, text[start:end], reason))
        else:
            accepted.append(Paragraph(index, start, end, text[start:end]))
    return _require_paragraph(SplitArticle(text, tuple(accepted), tuple(skipped)), "paragraphs")


def _split(text: str, pieces: Sequence[tuple[tuple[int, int], SkipReason | None]], field: str) -> SplitArticle:
    """Sorts pieces, each a span and the reason in its markup to skip it, into paragraphs and skipped pieces."""
    reasons = list(_reasons([(text[start:end], in_markup) for (start, end), in_markup in pieces]))
    if all(reason == "heading" and in_markup is None for reason, (_, in_markup) in zip(reasons, pieces, strict=True)):
        # Headings without a text below them: a list of headlines, or a sentence without its full stop.
        reasons = [None] * len(pieces)
    paragraphs: list[Paragraph] = []
    skipped: list[Skipped] = []
    for ((start, end), _), reason in zip(pieces, reasons, strict=True):
        if reason is None:
            paragraphs.append(Paragraph(len(paragraphs), start, end, text[start:end]))
        else:
            skipped.append(Skipped(start, end, text[start:end], reason))
    return _require_paragraph(SplitArticle(text, tuple(paragraphs), tuple(skipped)), field)


def _reasons(pieces: Sequence[tuple[str, SkipReason | None]]) -> Iterator[SkipReason | None]:
    """Yields why each piece, a text and the reason in its markup, is skipped; None for a paragraph."""
    in_list = False
    for piece, in_markup in pieces:
        reason = reason_to_skip(piece) or in_markup
        if reason is None and in_list and continues_related_list(piece):
            reason = "related"
        elif reason is None and is_heading(piece):
            reason = "heading"
        in_list = reason == "related" or (in_list and reason not in (None, "outside_article"))
        yield reason


def _require_paragraph(article: SplitArticle, field: str) -> SplitArticle:
    if not article.paragraphs:
        raise ArticleError(
            "Nothing is left to score: every piece is a heading, a byline, a caption or other boilerplate.", field
        )
    return article


def _reason_in_markup(block: PageBlock) -> SkipReason | None:
    if block.kind == "outside":
        return "outside_article"
    if block.kind == "heading":
        return "heading"
    return "caption" if block.kind == "caption" else None


def _join(parts: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Joins the parts with blank lines; returns the text and the span of each part in it."""
    spans, position = [], 0
    for part in parts:
        spans.append((position, position + len(part)))
        position += len(part) + len(_PARAGRAPH_GAP)
    return _PARAGRAPH_GAP.join(parts), spans


def _text_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yields the trimmed spans of the pieces of a plain text, in order."""
    block: list[tuple[int, int]] = []
    for start, end in _lines(text):
        if start < end:
            block.append((start, end))
        elif block:
            yield from _unwrap(text, block)
            block = []
    if block:
        yield from _unwrap(text, block)


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Yields the spans of the lines without surrounding white space; a blank line has start == end."""
    position = 0
    for line_break in [*_LINE_BREAK.finditer(text), None]:
        stop = line_break.start() if line_break else len(text)
        line = text[position:stop]
        start = position + len(line) - len(line.lstrip())
        yield start, max(start, position + len(line.rstrip()))
        position = line_break.end() if line_break else stop


def _unwrap(text: str, lines: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yields the spans of the pieces in a block of lines; lines that were wrapped at a column belong together."""
    width = max(end - start for start, end in lines)
    breaks = [_breaks_for_width(text, line, following, width) for line, following in pairwise(lines)]
    mid_sentence = sum(
        wrapped and not _SENTENCE_END.search(text[start:end])
        for (start, end), wrapped in zip(lines, breaks, strict=False)
    )
    wrapped_block = _NARROWEST_WRAP <= width <= _WIDEST_WRAP and mid_sentence * 2 > sum(breaks)
    start = lines[0][0]
    for number, (_, end) in enumerate(lines):
        if number == len(breaks) or not (wrapped_block and breaks[number]):
            yield start, end
            start = lines[number + 1][0] if number < len(breaks) else end


def _breaks_for_width(text: str, line: tuple[int, int], following: tuple[int, int], width: int) -> bool:
    """Whether the first word of the following line would not have fitted on this line."""
    first_word = text[following[0] : following[1]].split(maxsplit=1)[0]
    return line[1] - line[0] + 1 + len(first_word) > width
