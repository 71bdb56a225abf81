"""PDF and Word documents as plain text, cut into paragraphs like any other text."""

import io
import unicodedata
import zipfile
from collections.abc import Iterator

from labels.archives import Limits, safe_members
from labels.errors import ArchiveError, FileError
from labels.reading.lines import PRINTED_LINE, is_printed_head

_PDF, _WORD = ".pdf", ".docx"
SUFFIXES = (_PDF, _WORD)
# A page with fewer letters than this is a picture of a page, perhaps with a stamp on it.
_LETTERS_OF_A_PAGE = 20
_SENTENCE_ENDS = (".", "!", "?", ":", ";", "…", "”", "’", '"')
# Fonts draw "fi" and the like as one sign; nobody who searches for "fire" types it.
_LIGATURES = {sign: unicodedata.normalize("NFKC", chr(sign)) for sign in range(0xFB00, 0xFB07)}
# A browser prints so many lines above and below a page.
_PRINTED_LINES = 2
_WORD_LIMITS = Limits(size=256 * 2**20)


def document_text(suffix: str, content: bytes) -> str:
    """The text of a PDF or Word document; raises `FileError` if it holds none that can be read."""
    return _pdf_text(content) if suffix == _PDF else _word_text(content)


def _pdf_text(content: bytes) -> str:
    from pypdf import PdfReader  # noqa: PLC0415 - only these files need it
    from pypdf.errors import FileNotDecryptedError, PyPdfError  # noqa: PLC0415

    try:
        reader = PdfReader(io.BytesIO(content))
        pages = [page.extract_text().translate(_LIGATURES).strip() for page in reader.pages]
    except FileNotDecryptedError:
        raise FileError("It is protected by a password.") from None
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise FileError("It is not a PDF file that can be read.") from error
    letters = sum(character.isalpha() for page in pages for character in page)
    if letters < _LETTERS_OF_A_PAGE * max(len(pages), 1):
        raise FileError("It holds pictures of pages and no text: have its text recognised (OCR) first.")
    return _joined([page for page in pages if page])


def _joined(pages: list[str]) -> str:
    """The text of pages; a sentence that runs on to the next page is not cut, not even by what a browser prints."""
    text, waiting = "", ""
    for body, printed in map(_without_printed_lines, pages):
        runs_on = body[:1].islower() and text != "" and not text.endswith(_SENTENCE_ENDS)
        parts = (f"{text}\n{body}",) if runs_on else (text, waiting, body)
        text, waiting = "\n\n".join(filter(None, parts)), printed
    return "\n\n".join(filter(None, (text, waiting)))


def _without_printed_lines(page: str) -> tuple[str, str]:
    """The text of a page, and the lines that a browser printed above and below it.

    The title that stands beside the time of printing is on all pages, and left out.
    """
    lines = page.splitlines()
    edges = {*range(len(lines))[:_PRINTED_LINES], *range(len(lines))[-_PRINTED_LINES:]}
    printed = {place for place in edges if PRINTED_LINE.fullmatch(lines[place].strip())}
    others = {place: lines[place].strip() for place in edges - printed if printed}
    heads = {n for n, line in others.items() if is_printed_head(line)}
    body = "\n".join(line for place, line in enumerate(lines) if place not in printed | heads)
    return body.strip(), "\n".join(lines[place].strip() for place in sorted(printed))


def _word_text(content: bytes) -> str:
    from docx import Document  # noqa: PLC0415 - only these files need it
    from docx.opc.exceptions import OpcError  # noqa: PLC0415

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            safe_members(archive, limits=_WORD_LIMITS)
        paragraphs = list(_word_paragraphs(Document(io.BytesIO(content))))
    except ArchiveError as error:
        raise FileError(str(error)) from error
    except (zipfile.BadZipFile, OpcError, KeyError, ValueError, SyntaxError, AttributeError) as error:
        raise FileError("It is not a Word document (.docx) that can be read.") from error
    if not paragraphs:
        raise FileError("It holds no text.")
    return "\n\n".join(paragraphs)


def _word_paragraphs(container: object) -> Iterator[str]:
    """The paragraphs of a document or of a cell, in their order; a cell that spans columns counts once."""
    from docx.table import Table  # noqa: PLC0415

    for piece in container.iter_inner_content():  # type: ignore[attr-defined]
        if isinstance(piece, Table):
            cells = [cell for row in piece.rows for cell in dict.fromkeys(row.cells)]
            for cell in dict.fromkeys(cells):
                yield from _word_paragraphs(cell)
        elif text := piece.text.strip():
            yield text
