"""Normalises texts that look the same to readers to the same characters, so that invisible differences change no score.

Compatibility forms are unfolded (NFKC), Latin diacritics and invisible characters removed, curly quotes straightened
and letters lowered, character by character: so every position can be mapped back to the submitted text, which Unicode's
normalisation of whole texts does not allow. Words that were hyphenated at the end of a line are joined, and the marks
of quoted lines and the numbers of pages between the lines of a paragraph are removed.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
# What stands between two lines of a paragraph: white space, marks of a quotation, the number of a page.
_LINE_BREAK = r"[\n\r\v\f\x85\u2028\u2029]"
_BREAKS = re.compile(_LINE_BREAK)
_PAGE = r"(?:page[ \t]+)?\d{1,4}[ \t]*"
_MARGIN = rf"(?:[ \t]*{_LINE_BREAK}(?:[ \t]*{_PAGE}(?={_LINE_BREAK}))?)+[ \t]*(?:>[ \t]?)*"
_BROKEN_WORD = re.compile(
    rf"(?<![^\W\d_])(?P<first>[^\W\d_]+)(?P<hyphen>[-\u2010\u00ad]){_MARGIN}(?=(?P<rest>[^\W\d_]+))", re.IGNORECASE
)
_QUOTED_LINE = re.compile(rf"(?P<before>{_LINE_BREAK}[ \t]*)(?:>[ \t]?)+")
_PAGE_NUMBER = re.compile(
    rf"(?<=[\w,;])(?P<before>[ \t]*{_LINE_BREAK}\s*){_PAGE}(?={_LINE_BREAK}\s*[^\W\d_])", re.IGNORECASE
)
# Parts of words that have a hyphen wherever they stand ("state-sponsored", "self-defence", "army-run"), and endings
# that follow the same letters in words without ("state-ment", "north-ern", "multi-ply").
_FIRST_PARTS = frozenset((
    "anti", "army", "arms", "eight", "five", "four", "government", "half", "high", "islamist", "kurdish", "multi",
    "neo", "nine", "non", "north", "opposition", "police", "post", "quasi", "rebel", "self", "semi", "seven",
    "south", "state", "three", "two", "ultra", "east", "west", "year",
))  # fmt: skip
_LAST_PARTS = frozenset((
    "aligned", "appointed", "backed", "based", "building", "called", "century", "class", "controlled", "dominated",
    "educated", "elected", "era", "evident", "funded", "general", "imposed", "inflicted", "initiated", "inspired",
    "installed", "keeping", "language", "leaning", "led", "linked", "majority", "minded", "old", "oriented",
    "owned", "planned", "profile", "proof", "ranking", "related", "ruled", "scale", "sectarian", "sized",
    "speaking", "sponsored", "standing", "style", "supplied", "supported", "term", "torn", "war", "wing", "year",
    "years",
))  # fmt: skip
_ENDINGS = frozenset((
    "dote", "er", "ern", "erner", "erners", "ers", "ing", "ish", "land", "lands", "less", "ly", "man", "ment",
    "ments", "men", "nar", "nars", "ness", "ple", "ply", "sense", "some", "tude", "way", "ways",
))  # fmt: skip
# "Pre- and post-war", "Nord- und Südkorea".
_BEFORE_CONJUNCTION = _FIRST_PARTS | frozenset(("pre", "pro", "mid", "short", "long", "nord", "süd", "ost"))
_CONJUNCTIONS = frozenset(("and", "or", "to", "und", "oder", "bis"))
_QUOTES = {"’": "'", "‘": "'", "ʼ": "'", "＇": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "ς": "σ"}


class _NormalForms(dict[int, str]):
    """Maps a code point to its normal form, computed at its first use. The size of Unicode bounds it."""

    def __missing__(self, code_point: int) -> str:
        form = self[code_point] = _normal_form(chr(code_point))
        return form


def _normal_form(character: str) -> str:
    if character in _QUOTES:
        return _QUOTES[character]
    if unicodedata.category(character) in ("Cf", "Cs"):  # zero-width, bidi marks, soft hyphen; lone surrogates
        return ""
    unfolded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", character).lower())
    stripped = "".join(c for c in unfolded if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", stripped)


_NORMAL_FORMS = _NormalForms()


@dataclass(frozen=True, slots=True)
class NormalText:
    """A normalised `text` with the way back to the original.

    `offsets[i]` is the position in the original of the i-th character, shape (characters,); `offsets` is None where
    each character has the same position in both.
    """

    text: str
    offsets: Indices | None

    def original_spans(self, starts: Indices, ends: Indices) -> tuple[Indices, Indices]:
        """Returns the spans of the original for spans of `text`, both shape (spans,); empty spans are not allowed."""
        if self.offsets is None:
            return starts, ends
        return self.offsets[starts], self.offsets[ends - 1] + 1


def normalise(text: str) -> str:
    """Returns the normal form of a text."""
    gaps = _gaps(text)
    if gaps:
        text = "".join(text[start:end] for start, end in _between(gaps, len(text)))
    return _normalise(text, _forms(text))


def _gaps(text: str) -> list[tuple[int, int]]:
    """Returns the spans that stand between the lines of a paragraph and are no part of its words, in order."""
    if not _BREAKS.search(text):
        return []
    gaps = [gap for match in _BROKEN_WORD.finditer(text) if (gap := _gap_in_word(match))]
    marks = (match for pattern in (_QUOTED_LINE, _PAGE_NUMBER) for match in pattern.finditer(text))
    merged: list[tuple[int, int]] = []
    for start, end in sorted([*gaps, *((match.end("before"), match.end()) for match in marks)]):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _gap_in_word(match: re.Match[str]) -> tuple[int, int] | None:
    """Returns what to remove from a word that is divided between two lines; None if these are two words."""
    first, rest = match["first"], match["rest"]
    whole = match.start("hyphen"), match.start("rest")
    if match["hyphen"] == "\u00ad":
        return whole
    if rest.lower() in _CONJUNCTIONS and first.lower() in _BEFORE_CONJUNCTION:
        return None
    is_compound = match.string[max(0, match.start() - 1) : match.start()] in ("-", "\u2010")
    is_compound |= rest.lower() in _LAST_PARTS or (first.lower() in _FIRST_PARTS and rest.lower() not in _ENDINGS)
    same_case = rest.islower() or (len(first) > 1 and first.isupper() and rest.isupper())
    return (match.end("hyphen"), match.start("rest")) if is_compound or not same_case else whole


def _between(gaps: list[tuple[int, int]], length: int) -> Iterator[tuple[int, int]]:
    position = 0
    for start, end in gaps:
        yield position, start
        position = end
    yield position, length


def _forms(text: str) -> dict[str, str]:
    """Returns the normal forms of the characters outside ASCII."""
    if text.isascii():
        return {}
    return {character: _NORMAL_FORMS[ord(character)] for character in set(_NOT_ASCII.findall(text))}


def _normalise(text: str, forms: Mapping[str, str]) -> str:
    changed = {character: form for character, form in forms.items() if form != character}
    if not all(map(str.isascii, changed.values())):
        return text.translate(_NORMAL_FORMS)
    # English with dashes and curly quotes: looking up each character would take ten times as long.
    for character, form in changed.items():
        text = text.replace(character, form)
    return text.lower()


def normalise_with_offsets(text: str) -> NormalText:
    """Returns the normal form of a text with the way back to the original."""
    gaps = _gaps(text)
    if not gaps:
        return _with_offsets(text)
    stretches = list(_between(gaps, len(text)))
    places = np.concatenate([np.arange(start, end) for start, end in stretches])
    normal = _with_offsets("".join(text[start:end] for start, end in stretches))
    return NormalText(normal.text, places if normal.offsets is None else places[normal.offsets])


def _with_offsets(text: str) -> NormalText:
    forms_outside_ascii = _forms(text)
    if all(len(form) == 1 for form in forms_outside_ascii.values()):
        return NormalText(_normalise(text, forms_outside_ascii), None)
    forms = [_NORMAL_FORMS[ord(character)] for character in text]
    return NormalText("".join(forms), np.repeat(np.arange(len(forms)), list(map(len, forms))))
