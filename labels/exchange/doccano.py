"""doccano JSONL for multi-label classification: `text`, `label`, and metadata as further columns."""

from collections.abc import Iterator, Sequence
from typing import Any

from labels.codebook import Codebook
from labels.exchange.annotation import UNKNOWN_CODER, ExchangedAnnotation
from labels.exchange.parsing import (
    checked_metadata,
    json_lines,
    read_rows,
    require_frames,
    require_object,
    require_text,
    write_lines,
)

_FILE = "The doccano file"


def write(annotations: Sequence[ExchangedAnnotation], _codebook: Codebook) -> bytes:
    """Writes a line per coder and paragraph; doccano preserves the columns that it does not know."""
    return write_lines(
        {"text": a.text, "label": list(a.frames), "coder": a.coder, "stances": dict(a.frames), **a.metadata}
        for a in annotations
    )


def read(data: bytes, codebook: Codebook) -> list[ExchangedAnnotation]:
    """Reads an export of doccano: frames from `label` or `labels`, the coder from `coder`, else from `username`."""

    def annotation(row: Any) -> Iterator[ExchangedAnnotation]:
        row = require_object(row)
        labels = row.get("label", row.get("labels", []))
        stances = row.get("stances") if isinstance(row.get("stances"), dict) else {}
        yield ExchangedAnnotation(
            coder=str(row.get("coder") or row.get("username") or UNKNOWN_CODER),
            text=require_text(row),
            frames=require_frames(labels, codebook, stances),
            **checked_metadata(row, "doccano"),
        )

    return read_rows(_FILE, json_lines(data, _FILE), annotation)
