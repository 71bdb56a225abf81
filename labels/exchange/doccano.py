"""doccano JSONL for multi-label classification: `text`, `label`, and metadata as further columns."""

from collections.abc import Iterator, Sequence
from typing import Any

from labels.codebook import Codebook
from labels.exchange.code import (
    UNKNOWN_CODER,
    Code,
    Rows,
    facts_of,
    json_lines,
    require_frames,
    require_object,
    require_text,
    write_lines,
)


def write(codes: Sequence[Code], _codebook: Codebook) -> bytes:
    """One line a coder and paragraph; doccano keeps the columns that it does not know."""
    return write_lines(
        {"text": c.text, "label": list(c.frames), "coder": c.coder, "stances": dict(c.frames), **c.facts} for c in codes
    )


def read(data: bytes, codebook: Codebook) -> list[Code]:
    """Reads an export of doccano (`label` or `labels`; `coder`, or else `username` where an export names it)."""

    def code(row: Any) -> Iterator[Code]:
        row = require_object(row)
        labels = row.get("label", row.get("labels", []))
        stances = row.get("stances") if isinstance(row.get("stances"), dict) else {}
        yield Code(
            coder=str(row.get("coder") or row.get("username") or UNKNOWN_CODER),
            text=require_text(row),
            frames=require_frames(labels, codebook, stances),
            **facts_of(row, "doccano"),
        )

    return Rows("The doccano file").each(json_lines(data, "The doccano file"), code)
