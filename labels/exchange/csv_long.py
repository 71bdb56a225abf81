"""CSV, long: a row per coder, paragraph and frame; a single row without a frame for a paragraph that carries none."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from labels.codebook import Codebook
from labels.exchange.annotation import ExchangedAnnotation, coded_thing
from labels.exchange.cells import (
    COLUMNS,
    FILE,
    read_table,
    require_cells,
    shared_cells,
    shared_fields,
    write_table,
)
from labels.exchange.frame_labels import FrameLabels
from labels.exchange.options import ReadingOptions
from labels.exchange.parsing import read_annotations
from labels.exchange.reading import Reading

_FRAME = "frame"


def write(annotations: Sequence[ExchangedAnnotation], _codebook: Codebook) -> bytes:
    rows = (
        {**shared_cells(annotation), _FRAME: frame, "stance": stance}
        for annotation in annotations
        for frame, stance in (annotation.frames.items() or [("", "")])
    )
    return write_table([*COLUMNS, _FRAME, "stance"], rows)


def read(data: bytes, codebook: Codebook, options: ReadingOptions) -> Reading:
    """Reads rows and merges those of a coder and paragraph."""
    labels = FrameLabels(codebook, options)
    column = options.question or _FRAME

    def annotation(row: Any) -> Iterator[ExchangedAnnotation]:
        row = require_cells(row)
        fields = shared_fields(row, options)
        answer = [row[column]] if row[column].strip() else []
        frame = labels.frame(row[column])
        stances = {frame: row.get("stance")} if frame else {}
        yield ExchangedAnnotation(**fields, frames=labels.frames(answer, stances))

    rows = read_table(data, FILE, (options.text_field or "text", column), options.delimiter)
    reading = read_annotations(FILE, rows, annotation, labels)
    return replace(reading, annotations=_merged(reading.annotations))


def _merged(rows: Sequence[ExchangedAnnotation]) -> list[ExchangedAnnotation]:
    merged: dict[object, ExchangedAnnotation] = {}
    for row in rows:
        key = row.coder, row.role, coded_thing(row)
        earlier = merged.get(key)
        merged[key] = row if earlier is None else _with(earlier, row)
    return list(merged.values())


def _with(earlier: ExchangedAnnotation, row: ExchangedAnnotation) -> ExchangedAnnotation:
    """Adds the frame of a further row; who is unsure of any frame is unsure of the annotation."""
    return replace(earlier, frames={**earlier.frames, **row.frames}, unsure=earlier.unsure or row.unsure)
