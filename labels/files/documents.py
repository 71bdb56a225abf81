"""PDF and Word documents as plain text, cut into paragraphs like any other text."""

import codecs
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labels.archives import Limits, safe_members
from labels.errors import UNREADABLE_ARCHIVE, ArchiveError, FileError
from labels.files.packed import GZIP_START, ZIP_START
from labels.files.sheets import OLE_START
from labels.reading.lines import PRINTED_LINE, is_printed_head

if TYPE_CHECKING:
    from pypdf.generic import DictionaryObject

PDF, _WORD = ".pdf", ".docx"
SUFFIXES = (PDF, _WORD)
PDF_START = b"%PDF-"
# Beginnings of files that hold no text as it is, whatever they are called.
_NO_TEXT = {
    OLE_START: "It is a file of an older Office program (.doc, .xls, .ppt): save it as .docx or .xlsx.",
    ZIP_START: "It is a zip file, or a document in one (.odt, .epub, .pptx): save it as .docx or PDF.",
    GZIP_START: "It is packed: name it with .gz at the end, or unpack it.",
    b"{\\rtf": "It is RTF, with its formatting: save it as plain text or Word (.docx).",
}
_MIME = re.compile(rb"^MIME-Version:", re.IGNORECASE | re.MULTILINE)
_XML, _HTML = re.compile(rb"\s*<\?xml\b"), re.compile(rb"<html\b", re.IGNORECASE)
_HEAD = 4096
# A page with fewer letters than this is a picture of a page, perhaps with a stamp on it.
_LETTERS_OF_A_PAGE = 20
_PAGES_SHOWN = 10
_SENTENCE_ENDS = (".", "!", "?", ":", ";", "…", "”", "’", '"')
# Fonts draw "fi" and the like as one sign; nobody who searches for "fire" types it.
_LIGATURES = {sign: unicodedata.normalize("NFKC", chr(sign)) for sign in range(0xFB00, 0xFB07)}
# A browser prints so many lines above and below a page.
_PRINTED_LINES = 2
_WORD_LIMITS = Limits(size=256 * 2**20)


@dataclass(frozen=True, slots=True)
class Document:
    """The text of a document, and the numbers of its pages that are pictures of a page, without text."""

    text: str
    scanned: tuple[int, ...] = ()

    @property
    def fault(self) -> str | None:
        """A sentence about the pages without text, if there are any."""
        if not self.scanned:
            return None
        numbers = [str(number) for number in self.scanned[:_PAGES_SHOWN]]
        more = [f"{len(self.scanned) - _PAGES_SHOWN} more"] if len(self.scanned) > _PAGES_SHOWN else []
        *others, last = [*numbers, *more]
        which = f"Pages {', '.join(others)} and {last} are pictures" if others else f"Page {last} is a picture"
        return f"{which} without text: have the text recognised (OCR) first."


def read_document(suffix: str, content: bytes) -> Document:
    """The text of a PDF or Word document; raises `FileError` if it holds none that can be read."""
    return _read_pdf(content) if suffix == PDF else Document(_word_text(content))


def require_text(content: bytes) -> None:
    """Raises `FileError` for a file of another kind than text, HTML or JSON, by how it begins."""
    head = content[:_HEAD].removeprefix(codecs.BOM_UTF8)
    for start, sentence in _NO_TEXT.items():
        if head.startswith(start):
            raise FileError(sentence)
    if _MIME.search(head.split(b"\n\n", 1)[0].split(b"\r\n\r\n", 1)[0]):
        raise FileError("It is an e-mail, or a page saved as one (.eml, .mht): save it as HTML or plain text.")
    if _XML.match(head) and not _HTML.search(head):
        raise FileError("It is XML, of which the parts of an article are not known: convert it to HTML, CSV or JSON.")


def _read_pdf(content: bytes) -> Document:
    from pypdf import PdfReader  # noqa: PLC0415 - only these files need it
    from pypdf.errors import FileNotDecryptedError, PyPdfError  # noqa: PLC0415

    try:
        reader = PdfReader(io.BytesIO(content))
        pages = [page.extract_text().translate(_LIGATURES).strip() for page in reader.pages]
        pictured = [
            _letters(text) < _LETTERS_OF_A_PAGE and _has_picture(reader.pages[n]) for n, text in enumerate(pages)
        ]
    except FileNotDecryptedError:
        raise FileError("It is protected by a password.") from None
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise FileError("It is not a PDF file that can be read.") from error
    letters = list(map(_letters, pages))
    scanned = tuple(number for number, is_pictured in enumerate(pictured, 1) if is_pictured)
    document = Document(_joined([page for page in pages if page]), scanned)
    if sum(letters) < _LETTERS_OF_A_PAGE * max(len(pages), 1):
        if scanned and max(letters) >= _LETTERS_OF_A_PAGE:
            raise FileError(f"It is nearly without text. {document.fault}")
        raise FileError("It holds pictures of pages and no text: have its text recognised (OCR) first.")
    return document


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _has_picture(holder: "DictionaryObject", depth: int = 3) -> bool:
    """Whether a picture is drawn on a page, or in a drawing on it; a page that is merely empty has none."""
    resources: Any = holder.get("/Resources")
    drawn: Any = None if resources is None else resources.get_object().get("/XObject")
    for entry in () if drawn is None else drawn.get_object().values():
        kind = entry.get_object().get("/Subtype")
        if kind == "/Image" or (kind == "/Form" and depth > 0 and _has_picture(entry.get_object(), depth - 1)):
            return True
    return False


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
        paragraphs = list(_word_paragraphs(Document(io.BytesIO(content)).element.body))
    except ArchiveError as error:
        raise FileError(str(error)) from error
    except (*UNREADABLE_ARCHIVE, OpcError, SyntaxError, AttributeError) as error:
        raise FileError("It is not a Word document (.docx) that can be read.") from error
    if not paragraphs:
        raise FileError("It holds no text.")
    return "\n\n".join(paragraphs)


def _word_paragraphs(container: Any) -> Iterator[str]:
    """The paragraphs of a body or a cell, in their order.

    A cell that spans columns is a single element. One that spans rows goes on as an empty cell in each of them; asking
    the library for the cells of such rows takes time that grows with the third power of their number.
    """
    from docx.oxml.table import CT_Tbl  # noqa: PLC0415

    for piece in container.inner_content_elements:
        if isinstance(piece, CT_Tbl):
            for number, row in enumerate(piece.tr_lst):
                for cell in row.tc_lst:
                    if number == 0 or cell.vMerge != "continue":
                        yield from _word_paragraphs(cell)
        elif text := piece.text.strip():
            yield text
