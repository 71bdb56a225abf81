"""Prodigy JSONL: the `choice` interface with several answers, or a binary question per frame."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from labels.codebook import Codebook
from labels.exchange.annotation import UNKNOWN_CODER, ExchangedAnnotation
from labels.exchange.parsing import (
    RowError,
    checked_metadata,
    json_lines,
    read_rows,
    require_frames,
    require_object,
    require_text,
    write_lines,
)

_FILE = "The Prodigy file"


def write(annotations: Sequence[ExchangedAnnotation], codebook: Codebook) -> bytes:
    """Writes a `choice` task per coder and paragraph."""
    options = [{"id": frame.key, "text": frame.title} for frame in codebook.frames]
    return write_lines(
        {
            "text": a.text,
            "options": options,
            "accept": list(a.frames),
            "answer": "accept",
            "_input_hash": zlib.crc32(a.text.encode()),
            "_task_hash": zlib.crc32(f"frames {a.text}".encode()),
            "_annotator_id": a.coder,
            "_session_id": a.coder,
            "_view_id": "choice",
            "meta": {**a.metadata, "stances": dict(a.frames)},
        }
        for a in annotations
    )


def read(data: bytes, codebook: Codebook) -> list[ExchangedAnnotation]:
    """Reads `choice` tasks (`accept`) and binary tasks (`label`, merged by text and coder), unless ignored."""

    def annotation(row: Any) -> Iterator[ExchangedAnnotation]:
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
        yield ExchangedAnnotation(
            coder=str(row.get("_annotator_id") or row.get("_session_id") or UNKNOWN_CODER),
            text=require_text(row),
            frames=require_frames(labels, codebook, stances),
            **checked_metadata(meta, "prodigy"),
        )

    return _merged(read_rows(_FILE, json_lines(data, _FILE), annotation))


def _merged(annotations: list[ExchangedAnnotation]) -> list[ExchangedAnnotation]:
    """Merges the binary answers of a coder on a text into a single annotation."""
    merged: dict[tuple[str, str, str | None, int | None], ExchangedAnnotation] = {}
    for annotation in annotations:
        key = annotation.coder, annotation.text, annotation.article_id, annotation.paragraph
        earlier = merged.get(key)
        frames = annotation.frames if earlier is None else {**earlier.frames, **annotation.frames}
        merged[key] = replace(earlier or annotation, frames=frames)
    return list(merged.values())
