"""Paragraphs, the unit of analysis: coders, training and service cut articles with this one knife.

Every character of the article belongs to a paragraph, to a piece set aside with a reason, or is white space.
Offsets are code points into `SplitArticle.text`: the submitted text itself, the text extracted from HTML, or the
caller's own paragraphs joined by a blank line.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labels.boilerplate import Reason, furniture, in_related_list, is_heading
from labels.errors import ArticleError
from labels.extraction import Block, extract_blocks

_LINE_BREAK = re.compile(r"[\n\r\v\f\x85\u2028\u2029](?:(?<=\r)\n)?")  # a set first, which is searched for faster
_SENTENCE_END = re.compile(r"[.!?…:;][\"'”’»)\]]*$")
_NARROWEST_WRAP, _WIDEST_WRAP = 40, 120
_PARAGRAPH_GAP = "\n\n"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph at `text[start:end]` of its article; `index` is its number there."""

    index: int
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A piece of the article that is not a paragraph, and why."""

    start: int
    end: int
    text: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class SplitArticle:
    """An article cut into paragraphs and the pieces set aside, both in reading order."""

    text: str
    paragraphs: tuple[Paragraph, ...]
    skipped: tuple[Skipped, ...]


def split_text(text: str) -> SplitArticle:
    """Cuts plain text at blank lines and, where lines are not merely wrapped, at newlines.

    Raises `ArticleError` when the text is empty or only boilerplate.
    """
    if not text.strip():
        raise ArticleError("The text is empty.", "text")
    return _sort_out(text, [(span, None) for span in _text_spans(text)], "text")


def split_html(html: str) -> SplitArticle:
    """Extracts the article of an HTML page and cuts it; page furniture ends up among the skipped pieces.

    Raises `ArticleError` when the page holds no paragraph.
    """
    if not html.strip():
        raise ArticleError("The HTML is empty.", "html")
    blocks = extract_blocks(html)
    text, spans = _join([block.text for block in blocks])
    pieces = [(span, _reason_in_markup(block)) for span, block in zip(spans, blocks, strict=True)]
    return _sort_out(text, pieces, "html")


def split_paragraphs(paragraphs: Sequence[str]) -> SplitArticle:
    """Takes the caller's paragraphs as they are, numbered by their place in the list.

    Only what is certainly boilerplate is set aside. Raises `ArticleError` for an empty list or an empty paragraph.
    """
    if not paragraphs:
        raise ArticleError("The list of paragraphs is empty.", "paragraphs")
    for index, paragraph in enumerate(paragraphs):
        if not paragraph.strip():
            raise ArticleError(f"Paragraph {index} is empty.", f"paragraphs/{index}")
    text, spans = _join(paragraphs)
    kept: list[Paragraph] = []
    skipped: list[Skipped] = []
    for index, (start, end) in enumerate(spans):
        reason = furniture(text[start:end].strip())
        if reason:
            skipped.append(Skipped(start, end, text[start:end], reason))
        else:
            kept.append(Paragraph(index, start, end, text[start:end]))
    return _checked(SplitArticle(text, tuple(kept), tuple(skipped)), "paragraphs")


def _sort_out(text: str, pieces: Sequence[tuple[tuple[int, int], Reason | None]], field: str) -> SplitArticle:
    """Decides of each piece whether it is a paragraph."""
    reasons = list(_reasons([(text[start:end], known) for (start, end), known in pieces]))
    if all(reason == "heading" and known is None for reason, (_, known) in zip(reasons, pieces, strict=True)):
        reasons = [None] * len(pieces)  # they head nothing: a list of headlines, or a sentence without its full stop
    kept: list[Paragraph] = []
    skipped: list[Skipped] = []
    for ((start, end), _), reason in zip(pieces, reasons, strict=True):
        if reason is None:
            kept.append(Paragraph(len(kept), start, end, text[start:end]))
        else:
            skipped.append(Skipped(start, end, text[start:end], reason))
    return _checked(SplitArticle(text, tuple(kept), tuple(skipped)), field)


def _reasons(pieces: Sequence[tuple[str, Reason | None]]) -> Iterator[Reason | None]:
    """Why each piece is no paragraph, None where it is one; `known` is what the markup says of it."""
    listing = False
    for piece, known in pieces:
        reason = furniture(piece) or known
        if reason is None and listing and in_related_list(piece):
            reason = "related"
        elif reason is None and is_heading(piece):
            reason = "heading"
        listing = reason == "related" or (listing and reason not in (None, "outside_article"))
        yield reason


def _checked(article: SplitArticle, field: str) -> SplitArticle:
    if not article.paragraphs:
        raise ArticleError(
            "Nothing is left to score: every piece is a heading, a byline, a caption or other boilerplate.", field
        )
    return article


def _reason_in_markup(block: Block) -> Reason | None:
    if block.role == "outside":
        return "outside_article"
    if block.role == "heading":
        return "heading"
    return "caption" if block.role == "caption" else None


def _join(parts: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    spans, position = [], 0
    for part in parts:
        spans.append((position, position + len(part)))
        position += len(part) + len(_PARAGRAPH_GAP)
    return _PARAGRAPH_GAP.join(parts), spans


def _text_spans(text: str) -> Iterator[tuple[int, int]]:
    """Trimmed spans of the pieces of a plain text, in order."""
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
    """Spans of the lines without surrounding white space; a blank line has start == end."""
    position = 0
    for line_break in [*_LINE_BREAK.finditer(text), None]:
        stop = line_break.start() if line_break else len(text)
        line = text[position:stop]
        start = position + len(line) - len(line.lstrip())
        yield start, max(start, position + len(line.rstrip()))
        position = line_break.end() if line_break else stop


def _unwrap(text: str, lines: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Joins the lines of a block that were only wrapped at a column; other lines are paragraphs of their own."""
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
    """Whether the first word of the following line would not have fitted on this one."""
    first_word = text[following[0] : following[1]].split(maxsplit=1)[0]
    return line[1] - line[0] + 1 + len(first_word) > width
