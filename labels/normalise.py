"""One spelling for what readers see as the same text, so that invisible characters cannot change a score.

Per character: compatibility forms are unfolded (NFKC), Latin diacritics and invisible characters dropped, curly quotes
straightened, letters lowered. Working character by character keeps a map back to the submitted text, which Unicode's
whole-text normalisation would lose.
"""

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

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
    return text.lower() if text.isascii() else text.translate(_TABLE)


def normalise_with_offsets(text: str) -> NormalText:
    """The normal form of a text, with the way back to the original."""
    if text.isascii():
        return NormalText(text.lower(), None)
    if all(len(_TABLE[ord(character)]) == 1 for character in set(text)):
        return NormalText(text.translate(_TABLE), None)
    forms = [_TABLE[ord(character)] for character in text]
    return NormalText("".join(forms), np.repeat(np.arange(len(forms)), list(map(len, forms))))
