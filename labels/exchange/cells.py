"""Cells of CSV files, guarded so that a spreadsheet does not run them as formulas."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from labels.errors import ExchangeError, FileError
from labels.exchange.annotation import METADATA, ExchangedAnnotation
from labels.exchange.frame_labels import RowError
from labels.exchange.options import ReadingOptions, spelled
from labels.exchange.parsing import checked_metadata, decode, require_coder, require_text
from labels.files import sheets, tables
from labels.files.extraction_process import EXTRACTION

FILE = "The CSV file"
COLUMNS = ("coder", "text", *METADATA)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'", "＝", "＋", "－", "＠")
_NUMBERS = ("paragraph", "codebook_version", "inclusion_probability")


def write_table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Returns a CSV file (RFC 4180, UTF-8)."""
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: guarded(value) for name, value in row.items()})
    return file.getvalue().encode()


def guarded(value: Any) -> Any:
    """Puts an apostrophe before text that a spreadsheet would run as a formula; `read_table` removes it.

    None becomes an empty string; other values stay as they are.
    """
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def read_table(
    data: bytes, subject: str, required: Sequence[str], delimiter: str | None = None
) -> Iterator[tuple[str, dict[str, str] | str]]:
    """Yields the place and the cells of each row, by column, or what is wrong with the row.

    A spreadsheet is read too. What separates the cells of a file of text is found out unless it is given, itself or
    in words. Raises `ExchangeError` if it is not a table, or lacks a required column.
    """
    if sheets.is_workbook(data):
        if delimiter is not None:
            raise ExchangeError("The option", [f"{spelled('delimiter')} is about a file of text, not a spreadsheet"])
        yield from _read_sheet(data, subject, required)
        return
    lines = io.StringIO(decode(data, subject), newline="").readlines()
    try:
        dialect = tables.find_dialect(lines, None if delimiter is None else tables.delimiter_named(delimiter))
    except FileError as error:
        raise ExchangeError(subject, [str(error).rstrip(".")]) from error
    _require_columns(dialect.columns, required, subject, f", separated by {dialect.delimiter_name}")
    for row in tables.read_rows(lines[dialect.head_lines :], dialect):
        if row.fault is None and any(map(str.strip, row.cells)):
            yield f"row {row.number + 1}", dict(zip(dialect.columns, map(_unguarded, row.cells), strict=True))
        elif row.fault is not None:
            yield f"row {row.number + 1}", row.fault.rstrip(".")


def _read_sheet(data: bytes, subject: str, required: Sequence[str]) -> Iterator[tuple[str, dict[str, str] | str]]:
    """Yields the rows of a spreadsheet with a single sheet, like `read_table`."""
    try:
        workbook = EXTRACTION.run(sheets.read_sheets, data)
    except FileError as error:
        raise ExchangeError(subject, [str(error).rstrip(".")]) from error
    if len(workbook) > 1:
        names = ", ".join(f"'{sheet.name}'" for sheet in workbook)
        raise ExchangeError(subject, [f"it has more than one sheet ({names}): leave only the one with the annotations"])
    [sheet] = workbook
    _require_columns(sheet.columns, required, subject, "")
    for number, cells in sheet.rows:
        yield f"row {number}", dict(zip(sheet.columns, map(_unguarded, cells), strict=True))


def _require_columns(columns: Sequence[str], required: Sequence[str], subject: str, separated: str) -> None:
    faults = [f"it has no column '{name}'" for name in required if name not in columns]
    if faults:
        raise ExchangeError(subject, [*faults, f"its columns are {tables.shown_columns(columns)}{separated}"])


def require_cells(row: Any) -> dict[str, str]:
    """Returns the cells of a row that `read_table` has read; raises `RowError` with what is wrong with it."""
    if not isinstance(row, dict):
        raise RowError(str(row))
    return row


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def shared_cells(annotation: ExchangedAnnotation) -> dict[str, Any]:
    """Returns the coder, the text and the metadata of an annotation by column."""
    return {"coder": annotation.coder, "text": annotation.text, **annotation.metadata}


def shared_fields(row: Mapping[str, str], options: ReadingOptions) -> dict[str, Any]:
    """Returns the coder, the text and the metadata of a row as arguments of `ExchangedAnnotation`."""
    return {
        "coder": require_coder(row, options, ("coder",)),
        "text": require_text(row, options),
        **checked_metadata(with_numbers(row), "csv"),
    }


def with_numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the cells with numbers instead of text where the metadata are numbers."""
    cells: dict[str, Any] = dict(row)
    for name in _NUMBERS:
        if isinstance(cells.get(name), str) and cells[name]:
            try:
                cells[name] = float(cells[name])
            except ValueError:
                raise RowError(f"'{name}' must be a number") from None
    return cells
