"""CSV, long: a row per coder, paragraph and frame; a single row without a frame for a paragraph that carries none."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from labels.annotations import UNSPECIFIED
from labels.codebook import Codebook
from labels.exchange.annotation import ExchangedAnnotation
from labels.exchange.cells import COLUMNS, FILE, read_table, shared_cells, shared_fields, write_table
from labels.exchange.parsing import read_rows, require_frames


def write(annotations: Sequence[ExchangedAnnotation], _codebook: Codebook) -> bytes:
    rows = (
        {**shared_cells(annotation), "frame": frame, "stance": stance}
        for annotation in annotations
        for frame, stance in (annotation.frames.items() or [("", "")])
    )
    return write_table([*COLUMNS, "frame", "stance"], rows)


def read(data: bytes, codebook: Codebook) -> list[ExchangedAnnotation]:
    def annotation(row: Any) -> Iterator[ExchangedAnnotation]:
        fields = shared_fields(row)
        labels = [row["frame"]] if row["frame"] else []
        frames = require_frames(labels, codebook)
        stance = row.get("stance") or UNSPECIFIED
        yield ExchangedAnnotation(**fields, frames=require_frames(labels, codebook, dict.fromkeys(frames, stance)))

    merged: dict[tuple[str, str, str | None, int | None, str], ExchangedAnnotation] = {}
    for row in read_rows(FILE, read_table(data, ("coder", "text", "frame")), annotation):
        key = row.coder, row.text, row.article_id, row.paragraph, row.source
        earlier = merged.get(key)
        merged[key] = row if earlier is None else replace(earlier, frames={**earlier.frames, **row.frames})
    return list(merged.values())
