"""Headings: short pieces before a paragraph that are no sentences.

In doubt a piece is a paragraph: scoring a heading does less harm than losing a sentence.
"""

import re
import unicodedata
from collections.abc import Sequence

from labels.reading.lines import LINE_BREAK, has_more_words
from labels.reading.prompts import REPORTING_VERB

_MOST_WORDS = 15
_MOST_WORDS_IN_MARKUP = 25
# More such pieces in a row are a list.
_MOST_IN_A_ROW = 3

_STOPS = frozenset(".!?…:;,—–。．！？；：、،؛۔؟।॥·")
# Marks that may follow the stop of a sentence: quotation marks and brackets, notes ("[1]", "(2)", "¹", "*"), signs of
# the end ("###", "//", "■").
_TRAILING = re.compile(
    r"(?:[\s\"'”’»›)\]}*†‡§|/#_~■□▪●◆\u200b-\u200f\u2060\ufeff\u00ad¹²³⁰⁴-⁹-]+|[\[(]\s?[\w*]{1,3}\s?[\])]"
    # The raised number of a note, which is no more than a digit in plain text.
    r"|(?:(?<=[^\W\d_][.!?…])|(?<=[.!?…][\"”’»)]))\d{1,3}(?:,\s?\d{1,3})*)$"
)
_STOP_INSIDE = re.compile(r"[.!?…。؟۔।][\"'”’»)\]]*\s+(?=\S)")
_ABBREVIATION = re.compile(
    r"(?:[^\W\d_](?:\.[^\W\d_])*|Mr|Mrs|Ms|Dr|St|Gen|Col|Maj|Capt|Lt|Sgt|Sen|Rep|Gov|Pres|Prof|Rev|Hon|No|vs|Jr|Sr|Inc|Co|"
    r"Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Nr|Hr|Fr|bzw|ca)"
)
_LIST_ITEM = re.compile(r"(?:[-*+•▪►»>–—‣◦●]|\(?\d{1,2}[.)]|\d{1,3}/\d{0,3}|\(?[a-z][.)])\s+\S")
_TURN = re.compile(r"(?:[QA]|[A-Z][A-Z.'’ -]{2,40})\s*[:.]\s+\S")
_MARKDOWN_HEADING = re.compile(r"#{1,6}\s+\S")
_ADDRESS_OR_TAG = re.compile(r"https?://|www\.|(?:^|\s)[#@]\w")
_ATTRIBUTED = re.compile(
    rf"[\"'”“’‘»],?\s+(?:\w+\s+){{0,5}}{REPORTING_VERB}|\b(?:he|she|they)\s+{REPORTING_VERB}$"
    # Headlines have "minister says".
    r"|,\s+(?:\w+\s+){1,6}(?:said|told|announced|added|recalled)\b"
)
# Captions in Markdown are set in italics.
_ITALICS = re.compile(r"([*_])(?![*_])[^*_]+\1")
_QUOTATION = re.compile(r"[\"“„«‘].*[\"”“»’]", re.DOTALL)


def heading_places(pieces: Sequence[str | None]) -> set[int]:
    """Returns the places of the headings among the pieces; None stands for a piece that is already set aside."""
    places: set[int] = set()
    row: list[int] = []
    following: str | None = None
    for place in range(len(pieces) - 1, -1, -1):
        piece = pieces[place]
        if piece is None:
            continue
        if not any(map(str.isalpha, piece)):
            places.add(place)
            continue
        if following is not None and may_be_heading(piece) and not following[0].islower():
            row.append(place)
        else:
            places |= _short_rows(row)
            row = []
        following = piece
    return places | _short_rows(row)


def _short_rows(row: Sequence[int]) -> set[int]:
    return set(row) if len(row) <= _MOST_IN_A_ROW else set()


def may_be_heading(piece: str) -> bool:
    """Whether a piece is a heading if a paragraph follows: short, without a stop, and no item of a list or a turn."""
    if has_more_words(piece, _MOST_WORDS_IN_MARKUP):
        return False
    if _MARKDOWN_HEADING.match(piece):
        return not ends_with_stop(piece) or piece.rstrip().endswith("?")
    return not (
        has_more_words(piece, _MOST_WORDS)
        or piece[0].islower()
        or LINE_BREAK.search(piece)
        or ends_with_stop(piece)
        or _has_stop_inside(piece)
        or _LIST_ITEM.match(piece)
        or _TURN.match(piece)
        or _ADDRESS_OR_TAG.search(piece)
        or _ATTRIBUTED.search(piece)
        or _QUOTATION.fullmatch(piece)
        or _ITALICS.fullmatch(piece)
    )


def is_heading_in_markup(piece: str) -> bool:
    """Whether a piece that a page marks up as a heading can be a heading; some pages mark up whole paragraphs."""
    if ends_with_stop(piece):
        return not has_more_words(piece, _MOST_WORDS)
    return not has_more_words(piece, _MOST_WORDS_IN_MARKUP)


def ends_with_stop(piece: str) -> bool:
    """Whether a piece ends like a sentence, apart from quotation marks, notes and signs that follow it."""
    end = piece[-80:]
    while end:
        if end[-1] in _STOPS or _is_emoji(end[-1]):
            return True
        shorter = _TRAILING.sub("", end)
        if shorter == end:
            return False
        end = shorter
    return True


def _is_emoji(character: str) -> bool:
    joins = character in "\ufe0f\u200d"
    return joins or (unicodedata.category(character) in ("So", "Sk") and ord(character) > 0x2000)


def _has_stop_inside(piece: str) -> bool:
    return any(
        not _ABBREVIATION.fullmatch(_last_word(piece[: match.start()])) for match in _STOP_INSIDE.finditer(piece)
    )


def _last_word(text: str) -> str:
    """Returns the word at the end of a text; empty behind white space."""
    return text.rsplit(None, 1)[-1] if text and not text[-1].isspace() else ""
