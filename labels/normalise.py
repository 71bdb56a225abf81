"""Normalises texts that look the same to readers to the same characters, so that invisible differences change no score.

Compatibility forms are unfolded (NFKC), Latin diacritics and invisible characters removed, curly quotes straightened
and letters lowered, character by character: so every position can be mapped back to the submitted text, which Unicode's
normalisation of whole texts does not allow.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
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
    return _normalise(text, _forms(text))


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
    forms_outside_ascii = _forms(text)
    if all(len(form) == 1 for form in forms_outside_ascii.values()):
        return NormalText(_normalise(text, forms_outside_ascii), None)
    forms = [_NORMAL_FORMS[ord(character)] for character in text]
    return NormalText("".join(forms), np.repeat(np.arange(len(forms)), list(map(len, forms))))
