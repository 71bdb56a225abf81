"""Which language an article is written in (py3langid, offline)."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_ENOUGH_CHARACTERS = 4000
"""The detector is sure long before the end of a long article."""


@dataclass(frozen=True, slots=True)
class Language:
    """A detected language: ISO 639-1 code and the detector's confidence from 0 to 1."""

    code: str
    confidence: float


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - loaded when first needed

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def detect_language(text: str) -> Language:
    """The most likely language of a text."""
    code, confidence = _identifier().classify(text[:_ENOUGH_CHARACTERS])
    return Language(code, float(confidence))
