"""Detects the language of an article, offline, with py3langid."""

from array import array
from dataclasses import dataclass
from functools import cache
from mmap import ACCESS_READ, mmap
from tempfile import TemporaryFile
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# Some sixty languages with a sizeable press. The detector knows twice as many; the others would take 20 MiB more, and
# short English texts would be mistaken for the rarest of them.
NEWS_LANGUAGES = frozenset(
    "am ar az bg bn ca cs da de el en es et fa fi fr gu he hi hr hu hy id it ja ka kk kn ko lt lv ml mr ms my ne nl no "  # noqa: SIM905
    "pa pl ps pt ro ru si sk sl so sq sr sv sw ta te th tl tr uk ur uz vi zh".split()
)

# The detector is certain long before the end of a long article.
_ENOUGH_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class Language:
    """A detected language: its ISO 639-1 code and the confidence of the detector from 0 to 1."""

    code: str
    confidence: float


_loading = Lock()


def _identifier() -> "LanguageIdentifier":
    with _loading:  # otherwise each of several threads would load it
        return _load()


@cache
def _load() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - loaded when first needed

    full = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    columns = [column for column, code in enumerate(full.nb_classes) if code in NEWS_LANGUAGES]
    return LanguageIdentifier(
        full.nb_ptc[:, columns],
        full.nb_pc[columns],
        [full.nb_classes[column] for column in columns],
        _paged(full.tk_nextmove),
        full.tk_output,
        norm_probs=True,
        tk_row=full.tk_row,
    )


def _paged(table: "array[int]") -> memoryview:
    """Moves the table to an unlinked file, so that only the pages that texts need stay in memory, not all 40 MiB."""
    with TemporaryFile() as file:
        table.tofile(file)
        file.flush()
        pages = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
    return pages.cast("H" if table.itemsize == 2 else "I")


def detect_language(text: str) -> Language:
    """Returns the most likely language of a text."""
    code, confidence = _identifier().classify(text[:_ENOUGH_CHARACTERS])
    return Language(code, float(confidence))
