"""An article in a file that is uploaded: its fields, from text, HTML, JSON, PDF or Word, packed or not."""

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
_EACH_BY_ITSELF = "Send one article at a time, or put all of them in with `framing ingest`."


@dataclass(frozen=True, slots=True)
class Upload:
    """The fields of an article in a file, and the encoding in which it was read; None if it is no text file.

    `scanned` are the numbers of pages that are pictures without text.
    """

    fields: Mapping[str, Any]
    encoding: str | None = None
    scanned: tuple[int, ...] = ()


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
        return Upload({"text": document.text}, scanned=document.scanned)
    documents.require_text(content)
    read = encodings.decoded(content)
    if suffix == ".json":
        return Upload(_article(read.text), read.encoding)
    return Upload({"html" if suffix in HTML else "text": read.text}, read.encoding)


def _article(text: str) -> Mapping[str, Any]:
    records = list(json_records.read_text(text))
    if len(records) != 1:
        raise FileError(f"It holds {len(records):,} articles. {_EACH_BY_ITSELF}")
    if records[0].fault is not None or not isinstance(records[0].value, dict):
        raise FileError(records[0].fault or "It is not an article: it is not a JSON object.")
    return records[0].value
