"""Which language an article is written in (py3langid, offline)."""

from array import array
from dataclasses import dataclass
from functools import cache
from mmap import ACCESS_READ, mmap
from tempfile import TemporaryFile
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# Some sixty languages with a press of some size. The detector knows twice as many, takes 20 MiB more for them, and
# mistakes short English for the rarest.
_NEWS_LANGUAGES = frozenset(
    "am ar az bg bn ca cs da de el en es et fa fi fr gu he hi hr hu hy id it ja ka kk kn ko lt lv ml mr ms my ne nl no "  # noqa: SIM905
    "pa pl ps pt ro ru si sk sl so sq sr sv sw ta te th tl tr uk ur uz vi zh".split()
)

_ENOUGH_CHARACTERS = 4000
"""The detector is sure long before the end of a long article."""


@dataclass(frozen=True, slots=True)
class Language:
    """A detected language: ISO 639-1 code and the detector's confidence from 0 to 1."""

    code: str
    confidence: float


_loading = Lock()


def _identifier() -> "LanguageIdentifier":
    with _loading:  # threads that ask at once would each load it
        return _load()


@cache
def _load() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - loaded when first needed

    whole = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    kept = [place for place, code in enumerate(whole.nb_classes) if code in _NEWS_LANGUAGES]
    return LanguageIdentifier(
        whole.nb_ptc[:, kept],
        whole.nb_pc[kept],
        [whole.nb_classes[place] for place in kept],
        _paged(whole.tk_nextmove),
        whole.tk_output,
        norm_probs=True,
        tk_row=whole.tk_row,
    )


def _paged(table: "array[int]") -> memoryview:
    """The table in an unlinked file: of its 40 MiB only the pages that real text leads to stay in memory."""
    with TemporaryFile() as file:
        table.tofile(file)
        file.flush()
        pages = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
    return pages.cast("H" if table.itemsize == 2 else "I")


def detect_language(text: str) -> Language:
    """The most likely language of a text."""
    code, confidence = _identifier().classify(text[:_ENOUGH_CHARACTERS])
    return Language(code, float(confidence))
