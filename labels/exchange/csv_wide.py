"""CSV, wide: a row per coder and paragraph, with 0 or 1 for each frame and a column for its stance."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from labels.annotations import UNSPECIFIED
from labels.codebook import Codebook
from labels.errors import ExchangeError
from labels.exchange.annotation import ExchangedAnnotation
from labels.exchange.cells import (
    COLUMNS,
    FILE,
    read_table,
    require_cells,
    shared_cells,
    shared_fields,
    write_table,
)
from labels.exchange.frame_labels import FrameLabels, RowError, require_stance
from labels.exchange.options import ReadingOptions, spelled
from labels.exchange.parsing import TRUTH, read_annotations
from labels.exchange.reading import Reading

_STANCE = "stance_"


def write(annotations: Sequence[ExchangedAnnotation], codebook: Codebook) -> bytes:
    rows = (
        {
            **shared_cells(annotation),
            **{key: _cell(annotation, key) for key in codebook.keys},
            **{_STANCE + key: annotation.frames.get(key, "") for key in codebook.keys},
        }
        for annotation in annotations
    )
    return write_table([*COLUMNS, *codebook.keys, *(_STANCE + key for key in codebook.keys)], rows)


def _cell(annotation: ExchangedAnnotation, frame: str) -> int | None:
    """1 or 0; nothing for a frame that the coder did not decide about."""
    if frame in annotation.frames:
        return 1
    return 0 if annotation.covered is None or frame in annotation.covered else None


def read(data: bytes, codebook: Codebook, options: ReadingOptions) -> Reading:
    """Reads rows in which every frame has a column; a row in which a frame's cell is empty is set aside.

    An empty cell is right if the column `covered` says that the coder did not decide about the frame.
    """
    labels = FrameLabels(codebook, options)

    def annotation(row: Any) -> Iterator[ExchangedAnnotation]:
        row = require_cells(row)
        fields = shared_fields(row, options)
        covered = (
            {labels.frame(name) or name for name in fields["covered"]}
            if "covered" in fields
            else set(labels.codebook.keys)
        )
        columns = _columns(row, labels, covered)
        filled = {frame: column for frame, column in columns.items() if row[column].strip() or frame in covered}
        present = [frame for frame, column in filled.items() if _is_present(row[column], column, labels)]
        of_frames = {labels.frame(name.removeprefix(_STANCE)): row[name] for name in row if name.startswith(_STANCE)}
        stances = {frame: require_stance(of_frames.get(frame) or UNSPECIFIED) for frame in present}
        yield ExchangedAnnotation(**fields, frames=stances)

    rows = read_table(data, FILE, (options.text_field or "text",), options.delimiter)
    return read_annotations(FILE, rows, annotation, labels)


def _columns(row: Mapping[str, str], labels: FrameLabels, covered: Collection[str]) -> dict[str, str]:
    """The column of each frame, named by its key or title or mapped to it; raises `ExchangeError` if any is missing."""
    columns: dict[str, str] = {}
    for column in row:
        frame = labels.frame(column)
        if frame is not None and frame in columns:
            raise ExchangeError(FILE, [f"the columns '{columns[frame]}' and '{column}' are both about '{frame}'"])
        if frame is not None:
            columns[frame] = column
    missing = [key for key in labels.codebook.keys if key not in columns and key in covered]
    if missing:
        hint = f"if it is called otherwise, name it with {spelled('frames', f'COLUMN={missing[0]}')}"
        raise ExchangeError(FILE, [*(f"it has no column '{key}'" for key in missing), hint])
    return columns


def _is_present(cell: str, column: str, labels: FrameLabels) -> bool:
    """Reads 1, 0 and the words that spreadsheets write for them."""
    if not cell.strip():
        labels.empty(f"its cell '{column}' is empty")
        return False
    present = TRUTH.get(cell.strip().casefold())
    if present is None:
        raise RowError(f"'{column}' must be 0 or 1")
    return present
