"""One spelling for what readers see as the same text, so that invisible characters cannot change a score.

Per character: compatibility forms are unfolded (NFKC), Latin diacritics and invisible characters dropped, curly quotes
straightened, letters lowered. Working character by character keeps a map back to the submitted text, which Unicode's
whole-text normalisation would lose.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

_BEYOND = re.compile(r"[^\x00-\x7f]")
_QUOTES = {"’": "'", "‘": "'", "ʼ": "'", "＇": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "ς": "σ"}


class _Table(dict[int, str]):
    """Maps a code point to its normal form, worked out when first seen. Bounded by the size of Unicode."""

    def __missing__(self, code: int) -> str:
        form = self[code] = _normal_form(chr(code))
        return form


def _normal_form(character: str) -> str:
    if character in _QUOTES:
        return _QUOTES[character]
    if unicodedata.category(character) in ("Cf", "Cs"):  # zero-width, bidi marks, soft hyphen; lone surrogates
        return ""
    unfolded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", character).lower())
    stripped = "".join(c for c in unfolded if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", stripped)


_TABLE = _Table()


@dataclass(frozen=True, slots=True)
class NormalText:
    """Normalised `text`; `offsets[i]` is the place in the original of its i-th character, None if all are the same."""

    text: str
    offsets: Indices | None

    def original_spans(self, starts: Indices, ends: Indices) -> tuple[Indices, Indices]:
        """The spans of the original text that spans of `text` came from; none may be empty."""
        if self.offsets is None:
            return starts, ends
        return self.offsets[starts], self.offsets[ends - 1] + 1


def normalise(text: str) -> str:
    """The normal form of a text."""
    return _normalise(text, _forms(text))


def _forms(text: str) -> dict[str, str]:
    """The normal forms of the characters beyond ASCII."""
    return {} if text.isascii() else {character: _TABLE[ord(character)] for character in set(_BEYOND.findall(text))}


def _normalise(text: str, forms: Mapping[str, str]) -> str:
    changed = {character: form for character, form in forms.items() if form != character}
    if not all(map(str.isascii, changed.values())):
        return text.translate(_TABLE)
    # English with its dashes and curly quotes: to look each character up would take ten times as long.
    for character, form in changed.items():
        text = text.replace(character, form)
    return text.lower()


def normalise_with_offsets(text: str) -> NormalText:
    """The normal form of a text, with the way back to the original."""
    beyond = _forms(text)
    if all(len(form) == 1 for form in beyond.values()):
        return NormalText(_normalise(text, beyond), None)
    forms = [_TABLE[ord(character)] for character in text]
    return NormalText("".join(forms), np.repeat(np.arange(len(forms)), list(map(len, forms))))
