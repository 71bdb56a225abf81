"""An article in a file that is uploaded: its fields, from text, HTML, JSON, PDF or Word, packed or not."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labels.errors import FileError
from labels.files import documents, encodings, json_records, sheets
from labels.files.extraction_process import EXTRACTION, Patience
from labels.files.packed import unpacked
from training.encoder.stopping import require_wanted

HTML = (".html", ".htm", ".xhtml")
_OF_MANY = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".zip", *sheets.SUFFIXES)
_BLOCKS = r"(?:html|head|body|main|article|header|aside|div|section|figure|p|h[1-6]|ul|ol|blockquote|table)"
# Editors put comments before the first element. What was matched is not tried again in shorter pieces.
_BEFORE = r"\s*+(?:(?:<!--(?>[\s\S]*?-->)|<\?xml[^<>]*+>)\s*+)*+"
_BLOCK_START = re.compile(rf"{_BEFORE}<(?:!doctype|{_BLOCKS})\b[^<>]*>", re.IGNORECASE)
_BLOCK_END = re.compile(rf"</{_BLOCKS}\s*>", re.IGNORECASE)
_LINE_BREAKS = re.compile(r"<(?:br\s*/?|/p\s*)>", re.IGNORECASE)
_EACH_BY_ITSELF = "Send one article at a time, or put all of them in with `framing ingest`."


@dataclass(frozen=True, slots=True)
class Upload:
    """The fields of an article in a file, and the encoding in which it was read; None if it is no text file.

    `scanned` are the numbers of pages that are pictures without text, and `fault` a sentence about them.
    """

    fields: Mapping[str, Any]
    encoding: str | None = None
    scanned: tuple[int, ...] = ()
    fault: str | None = None


def is_markup(text: Any) -> bool:
    """Whether a text consists of elements of HTML, or is divided by them."""
    if not isinstance(text, str) or "<" not in text:
        return False
    is_element = _BLOCK_START.match(text) is not None and _BLOCK_END.search(text) is not None
    return is_element or len(_LINE_BREAKS.findall(text)) > 1


def read_upload(name: str, content: bytes, limit: int) -> Upload:
    """The article in a file of at most `limit` bytes, unpacked; raises `FileError` with a sentence about the file."""
    files = unpacked(name, content, limit)
    if len(files) != 1:
        raise FileError(f"It holds {len(files):,} files. {_EACH_BY_ITSELF}")
    [(name, content)] = files
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    if suffix in _OF_MANY:
        raise FileError(f"It is a file of many articles. {_EACH_BY_ITSELF}")
    if suffix in documents.SUFFIXES or content.startswith(documents.PDF_START):
        kind = suffix if suffix in documents.SUFFIXES else documents.PDF
        patience = Patience(require_wanted=require_wanted)
        document = EXTRACTION.run_within(patience, documents.read_document, kind, content)
        return Upload({"text": document.text}, scanned=document.scanned, fault=document.fault)
    documents.require_text(content)
    read = encodings.decoded(content)
    fields = _article(read.text) if suffix == ".json" else {"html" if suffix in HTML else "text": read.text}
    if fields.get("html") is None and is_markup(fields.get("text")):
        # As in files that a command reads: a page that was saved with another ending, or a piece of a page.
        fields = {**fields, "html": fields["text"], "text": None}
    return Upload(fields, read.encoding)


def _article(text: str) -> Mapping[str, Any]:
    records = list(json_records.read_text(text))
    if len(records) != 1:
        raise FileError(f"It holds {len(records):,} articles. {_EACH_BY_ITSELF}")
    if records[0].fault is not None or not isinstance(records[0].value, dict):
        raise FileError(records[0].fault or "It is not an article: it is not a JSON object.")
    return records[0].value
