"""Cuts articles into paragraphs, the unit of analysis, in the same way for coders, training and service.

Every character of the article belongs to a paragraph, belongs to a piece that is skipped with a reason, or is white
space. Offsets are code points into `SplitArticle.text`: the submitted text, the text extracted from HTML, or the
caller's paragraphs joined by blank lines.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from labels.boilerplate import SkipReason, continues_related_list, is_biography, reason_to_skip
from labels.errors import ArticleError
from labels.extraction import PageBlock, extract_page
from labels.language import detect_language
from labels.reading.field_lines import Export, is_field_line, read_export, separate_documents
from labels.reading.headings import heading_places, is_heading_in_markup, may_be_heading
from labels.reading.imprint import NO_IMPRINT, Imprint
from labels.reading.lines import LINE_BREAK, has_more_words, text_pieces
from labels.reading.sentences import DEFAULT_SENTENCES, sentence_windows

Cut = Literal["lines", "sentences"]

_PARAGRAPH_GAP = "\n\n"
_RTF = "{\\rtf"
# Above this share of a text, its headings are no headings.
_MOST_HEADINGS = 1 / 3
# Of a page whose navigation has more pieces than this, neighbours outside the article become a single piece.
_MOST_PIECES_OUTSIDE = 200
_MOST_WORDS_OF_A_LABEL = 3
_STOP = re.compile(r"[.!?…。۔؟।]")
_MOST_STOPS_OF_A_PARAGRAPH = 5


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
    imprint: Imprint = NO_IMPRINT

    @property
    def cut(self) -> Cut:
        """Where the paragraphs end: at lines, or, in a text without line breaks, after some sentences."""
        between = (self.text[paragraph.end : following.start] for paragraph, following in pairwise(self.paragraphs))
        return "sentences" if any(not LINE_BREAK.search(gap) for gap in between) else "lines"


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    text: str
    reason: SkipReason | None = None
    # No heading by our rules: an item of a list that a page marks up.
    is_item: bool = False


def split_text(text: str, sentences: int = DEFAULT_SENTENCES) -> SplitArticle:
    """Cuts plain text at blank lines and, unless the lines are merely wrapped, at newlines.

    A text without line breaks is cut after about so many `sentences`; 0 leaves it whole. Raises `ArticleError` if the
    text is empty or has no paragraph.
    """
    if not text.strip():
        raise ArticleError("The text is empty.", "text")
    if text.lstrip().startswith(_RTF):
        raise ArticleError("The text is RTF, with its formatting: save it as plain text or Word (.docx).", "text")
    if sentences and not LINE_BREAK.search(text.strip()) and len(_STOP.findall(text)) > _MOST_STOPS_OF_A_PARAGRAPH:
        return _in_windows(text, sentences)
    export = read_export(text)
    if export is None:
        return _split(text, list(_text_pieces(text, 0, len(text))), "text")
    _require_single(text, "text", "Send one article at a time, or put all of them in with `framing ingest`.")
    return _of_export(text, export, "text")


def _of_export(text: str, export: Export, field: str) -> SplitArticle:
    pieces = [_Piece(start, end, text[start:end], "metadata") for start, end in export.fields]
    pieces += [piece for start, end in export.texts for piece in _text_pieces(text, start, end)]
    pieces.sort(key=lambda piece: piece.start)
    return replace(_split(text, pieces, field), imprint=export.imprint)


def split_html(html: str) -> SplitArticle:
    """Cuts the article of an HTML page into paragraphs; the text around the article is skipped.

    Raises `ArticleError` if the page has no paragraph.
    """
    if not html.strip():
        raise ArticleError("The HTML is empty.", "html")
    page = extract_page(html)
    text, spans = _join([block.text for block in page.blocks])
    _require_single(text, "html", "Export it as plain text, which `framing ingest` separates.")
    # A page around the article is no export of an archive, whatever fields stand in it.
    if all(block.kind != "outside" for block in page.blocks) and (export := read_export(text)) is not None:
        return _of_export(text, export, "html")
    pieces = [_block_piece(block, *span) for block, span in zip(page.blocks, spans, strict=True)]
    article = _split(text, pieces, "html")
    return replace(article, skipped=tuple(_fewer(text, article.skipped)), imprint=page.imprint)


def split_paragraphs(paragraphs: Sequence[str]) -> SplitArticle:
    """Uses the caller's paragraphs as they are, numbered by their position in the list; nothing is skipped.

    Raises `ArticleError` for an empty list or an empty paragraph.
    """
    if not paragraphs:
        raise ArticleError("The list of paragraphs is empty.", "paragraphs")
    for index, paragraph in enumerate(paragraphs):
        if not paragraph.strip():
            raise ArticleError(f"Paragraph {index} is empty.", f"paragraphs/{index}")
    return _of_spans(*_join(paragraphs))


def _require_single(text: str, field: str, advice: str) -> None:
    if (documents := len(separate_documents(text))) > 1:
        raise ArticleError(f"This is an export of {documents:,} articles. {advice}", field)


def looks_like_headings(article: SplitArticle) -> bool:
    """Whether so many paragraphs look like headings that none was taken for a heading."""
    pieces: list[Paragraph | Skipped] = [*article.paragraphs, *article.skipped]
    pieces.sort(key=lambda piece: piece.start)
    texts = [piece.text if isinstance(piece, Paragraph) else None for piece in pieces]
    return _too_much(texts, heading_places(texts))


def _text_pieces(text: str, start: int, end: int) -> Iterator[_Piece]:
    """Yields the pieces of a stretch of a plain text."""
    for piece in text_pieces(text[start:end]):
        content = text[start + piece.start : start + piece.end]
        reason: SkipReason | None = reason_to_skip(content)
        if piece.is_page_mark:
            reason = "boilerplate"
        elif is_field_line(content):
            reason = "metadata"
        yield _Piece(start + piece.start, start + piece.end, content, reason)


def _block_piece(block: PageBlock, start: int, end: int) -> _Piece:
    reason = reason_to_skip(block.text) or ("metadata" if is_field_line(block.text) else None)
    if reason is None and block.kind == "outside":
        reason = "outside_article"
    elif reason is None and block.kind == "caption":
        reason = "caption"
    elif reason is None and block.kind == "heading" and is_heading_in_markup(block.text):
        reason = "heading"
    return _Piece(start, end, block.text, reason, is_item=block.kind == "item")


def _in_windows(text: str, sentences: int) -> SplitArticle:
    """Cuts a text without line breaks into windows of sentences."""
    # Most other languages have letters outside ASCII, and detection takes as long as scoring.
    language = "en" if text.isascii() else detect_language(text).code
    return _of_spans(text, sentence_windows(text, language, sentences))


def _of_spans(text: str, spans: Sequence[tuple[int, int]]) -> SplitArticle:
    """Makes a paragraph of each span; nothing is skipped."""
    return SplitArticle(
        text, tuple(Paragraph(index, start, end, text[start:end]) for index, (start, end) in enumerate(spans)), ()
    )


def _split(text: str, pieces: Sequence[_Piece], field: str) -> SplitArticle:
    """Sorts pieces into paragraphs and skipped pieces."""
    reasons = _with_related_lists(pieces)
    _set_headings_aside(pieces, reasons)
    _set_biographies_aside(pieces, reasons)
    paragraphs: list[Paragraph] = []
    skipped: list[Skipped] = []
    for piece, reason in zip(pieces, reasons, strict=True):
        if reason is None:
            paragraphs.append(Paragraph(len(paragraphs), piece.start, piece.end, piece.text))
        else:
            skipped.append(Skipped(piece.start, piece.end, piece.text, reason))
    if not paragraphs:
        raise ArticleError(
            "Nothing is left to score: every piece is a heading, a byline, a caption or other boilerplate.", field
        )
    return SplitArticle(text, tuple(paragraphs), tuple(skipped))


def _with_related_lists(pieces: Sequence[_Piece]) -> list[SkipReason | None]:
    """Returns the reasons of the pieces; what follows a "more columns" heading is a list of headlines."""
    in_list = False
    reasons: list[SkipReason | None] = []
    for piece in pieces:
        reason = piece.reason
        if reason is None and in_list and continues_related_list(piece.text):
            reason = "related"
        in_list = reason == "related" or (in_list and reason not in (None, "outside_article"))
        reasons.append(reason)
    return reasons


def _set_headings_aside(pieces: Sequence[_Piece], reasons: list[SkipReason | None]) -> None:
    texts = [piece.text if reason is None else None for piece, reason in zip(pieces, reasons, strict=True)]
    places = {place for place in heading_places(texts) if not pieces[place].is_item}
    if _too_much(texts, places):
        places = {place for place in places if not _has_letters(pieces[place].text)}
    if any(reasons) and all(text is None or _is_label(text) for text in texts):
        # Sections of a site, among nothing but furniture.
        places = {place for place, text in enumerate(texts) if text is not None}
    for place in places:
        reasons[place] = "heading"


def _too_much(texts: Sequence[str | None], places: Iterable[int]) -> bool:
    headings = [texts[place] or "" for place in places]
    whole = sum(len(text) for text in texts if text is not None)
    return sum(len(text) for text in headings if _has_letters(text)) > _MOST_HEADINGS * whole


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))


def _is_label(text: str) -> bool:
    """Whether a piece is the name of a section, such as "World"."""
    return not has_more_words(text, _MOST_WORDS_OF_A_LABEL) and may_be_heading(text)


def _set_biographies_aside(pieces: Sequence[_Piece], reasons: list[SkipReason | None]) -> None:
    """Sets aside who wrote the article, below its last paragraph."""
    open_places = [place for place, reason in enumerate(reasons) if reason is None]
    while len(open_places) > 1 and is_biography(pieces[open_places[-1]].text):
        reasons[open_places.pop()] = "byline"


def _fewer(text: str, skipped: Sequence[Skipped]) -> Iterator[Skipped]:
    """Yields the skipped pieces; if very many lie outside the article, neighbours among them as a single piece."""
    if sum(piece.reason == "outside_article" for piece in skipped) <= _MOST_PIECES_OUTSIDE:
        yield from skipped
        return
    waiting: Skipped | None = None
    for piece in skipped:
        gap = len(_PARAGRAPH_GAP)
        if waiting and piece.reason == "outside_article" and piece.start == waiting.end + gap:
            waiting = Skipped(waiting.start, piece.end, text[waiting.start : piece.end], "outside_article")
            continue
        if waiting:
            yield waiting
        waiting = piece if piece.reason == "outside_article" else None
        if waiting is None:
            yield piece
    if waiting:
        yield waiting


def _join(parts: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Joins the parts with blank lines; returns the text and the span of each part in it."""
    spans, position = [], 0
    for part in parts:
        spans.append((position, position + len(part)))
        position += len(part) + len(_PARAGRAPH_GAP)
    return _PARAGRAPH_GAP.join(parts), spans
