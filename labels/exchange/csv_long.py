"""CSV, long: a row for each coder, paragraph and frame; one with an empty frame where a paragraph carries none."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from labels.codebook import Codebook
from labels.exchange.cells import COLUMNS, read_table, shared_cells, shared_fields, write_table
from labels.exchange.code import Code, Rows, require_frames


def write(codes: Sequence[Code], _codebook: Codebook) -> bytes:
    rows = (
        {**shared_cells(code), "frame": frame, "stance": stance}
        for code in codes
        for frame, stance in (code.frames.items() or [("", "")])
    )
    return write_table([*COLUMNS, "frame", "stance"], rows)


def read(data: bytes, codebook: Codebook) -> list[Code]:
    def code(row: Any) -> Iterator[Code]:
        fields = shared_fields(row)
        labels = [row["frame"]] if row["frame"] else []
        frames = require_frames(labels, codebook)
        stance = row.get("stance") or "present"
        yield Code(**fields, frames=require_frames(labels, codebook, dict.fromkeys(frames, stance)))

    found: dict[tuple[str, str, str | None, int | None, str], Code] = {}
    for one in Rows("The CSV file").each(read_table(data, ("coder", "text", "frame")), code):
        key = one.coder, one.text, one.article_id, one.paragraph, one.source
        earlier = found.get(key)
        found[key] = one if earlier is None else replace(earlier, frames={**earlier.frames, **one.frames})
    return list(found.values())
