"""CSV, wide: a row per coder and paragraph, with 0 or 1 for each frame and a column for its stance."""

from collections.abc import Iterator, Sequence
from typing import Any

from labels.annotations import UNSPECIFIED
from labels.codebook import Codebook
from labels.exchange.annotation import ExchangedAnnotation
from labels.exchange.cells import COLUMNS, FILE, read_table, shared_cells, shared_fields, write_table
from labels.exchange.parsing import RowError, read_rows, require_frames

_STANCE = "stance_"


def write(annotations: Sequence[ExchangedAnnotation], codebook: Codebook) -> bytes:
    rows = (
        {
            **shared_cells(annotation),
            **{key: int(key in annotation.frames) for key in codebook.keys},
            **{_STANCE + key: annotation.frames.get(key, "") for key in codebook.keys},
        }
        for annotation in annotations
    )
    return write_table([*COLUMNS, *codebook.keys, *(_STANCE + key for key in codebook.keys)], rows)


def read(data: bytes, codebook: Codebook) -> list[ExchangedAnnotation]:
    def annotation(row: Any) -> Iterator[ExchangedAnnotation]:
        present = []
        for key in codebook.keys:
            if row[key] not in ("0", "1", ""):
                raise RowError(f"'{key}' must be 0 or 1")
            if row[key] == "1":
                present.append(key)
        stances = {key: row.get(_STANCE + key) or UNSPECIFIED for key in present}
        yield ExchangedAnnotation(**shared_fields(row), frames=require_frames(present, codebook, stances))

    return read_rows(FILE, read_table(data, ("coder", "text", *codebook.keys)), annotation)
