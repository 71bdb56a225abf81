"""CSV, wide: a row for each coder and paragraph, with 0 or 1 for each frame and a column for its stance."""

from collections.abc import Iterator, Sequence
from typing import Any

from labels.codebook import Codebook
from labels.exchange.cells import COLUMNS, read_table, shared_cells, shared_fields, write_table
from labels.exchange.code import Code, RowError, Rows, require_frames

_STANCE = "stance_"


def write(codes: Sequence[Code], codebook: Codebook) -> bytes:
    rows = (
        {
            **shared_cells(code),
            **{key: int(key in code.frames) for key in codebook.keys},
            **{_STANCE + key: code.frames.get(key, "") for key in codebook.keys},
        }
        for code in codes
    )
    return write_table([*COLUMNS, *codebook.keys, *(_STANCE + key for key in codebook.keys)], rows)


def read(data: bytes, codebook: Codebook) -> list[Code]:
    def code(row: Any) -> Iterator[Code]:
        present = []
        for key in codebook.keys:
            if row[key] not in ("0", "1", ""):
                raise RowError(f"'{key}' must be 0 or 1")
            if row[key] == "1":
                present.append(key)
        stances = {key: row.get(_STANCE + key) or "present" for key in present}
        yield Code(**shared_fields(row), frames=require_frames(present, codebook, stances))

    return Rows("The CSV file").each(read_table(data, ("coder", "text", *codebook.keys)), code)
