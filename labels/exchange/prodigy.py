"""Prodigy JSONL: the `choice` interface with several answers, or one binary question a frame."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from labels.codebook import Codebook
from labels.exchange.code import (
    UNKNOWN_CODER,
    Code,
    RowError,
    Rows,
    facts_of,
    json_lines,
    require_frames,
    require_object,
    require_text,
    write_lines,
)


def write(codes: Sequence[Code], codebook: Codebook) -> bytes:
    """One `choice` task a coder and paragraph."""
    options = [{"id": frame.key, "text": frame.title} for frame in codebook.frames]
    return write_lines(
        {
            "text": code.text,
            "options": options,
            "accept": list(code.frames),
            "answer": "accept",
            "_input_hash": zlib.crc32(code.text.encode()),
            "_task_hash": zlib.crc32(f"frames {code.text}".encode()),
            "_annotator_id": code.coder,
            "_session_id": code.coder,
            "_view_id": "choice",
            "meta": {**code.facts, "stances": dict(code.frames)},
        }
        for code in codes
    )


def read(data: bytes, codebook: Codebook) -> list[Code]:
    """Reads `choice` tasks (`accept`) and binary ones (`label`, grouped by text and annotator), but no ignored ones."""

    def code(row: Any) -> Iterator[Code]:
        row = require_object(row)
        answer = row.get("answer", "accept")
        if answer not in ("accept", "reject", "ignore"):
            raise RowError("'answer' must be accept, reject or ignore")
        if answer == "ignore" or (answer == "reject" and "label" not in row):
            return
        meta = row["meta"] if isinstance(row.get("meta"), dict) else {}
        stances = meta.get("stances") if isinstance(meta.get("stances"), dict) else {}
        labels = row.get("accept", [])
        if "label" in row:
            require_frames([row["label"]], codebook)
            labels = [row["label"]] if answer == "accept" else []
        yield Code(
            coder=str(row.get("_annotator_id") or row.get("_session_id") or UNKNOWN_CODER),
            text=require_text(row),
            frames=require_frames(labels, codebook, stances),
            **facts_of(meta, "prodigy"),
        )

    return _merged(Rows("The Prodigy file").each(json_lines(data, "The Prodigy file"), code))


def _merged(codes: list[Code]) -> list[Code]:
    """Binary answers of one coder on one text are one code."""
    found: dict[tuple[str, str, str | None, int | None], Code] = {}
    for code in codes:
        key = code.coder, code.text, code.article_id, code.paragraph
        earlier = found.get(key)
        found[key] = code if earlier is None else replace(earlier, frames={**earlier.frames, **code.frames})
    return list(found.values())
