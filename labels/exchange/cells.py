"""Cells of CSV files, guarded so that a spreadsheet does not run them as formulas."""

import csv
import io
import re
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
# What a spreadsheet passes over before it looks for a formula, or may: space, control characters, line breaks, and
# characters of format or without width (Cf, Zs and Default_Ignorable_Code_Point of Unicode).
_UNSEEN = (
    r"\s\x00-\x20\x7f-\xa0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001343f"
)
# Signs at the start of a formula, in each of their widths and sizes.
_SIGNS = r"=+\-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋−﬩"
_FORMULA = re.compile(f"[\\t\\r\\n\\0']|[{_UNSEEN}]*[{_SIGNS}]")
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
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


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
            yield f"row {row.number + 1}", dict(zip(dialect.columns, map(unguarded, row.cells), strict=True))
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
        yield f"row {number}", dict(zip(sheet.columns, map(unguarded, cells), strict=True))


def _require_columns(columns: Sequence[str], required: Sequence[str], subject: str, separated: str) -> None:
    faults = [f"it has no column '{name}'" for name in required if name not in columns]
    if faults:
        raise ExchangeError(subject, [*faults, f"its columns are {tables.shown_columns(columns)}{separated}"])


def require_cells(row: Any) -> dict[str, str]:
    """Returns the cells of a row that `read_table` has read; raises `RowError` with what is wrong with it."""
    if not isinstance(row, dict):
        raise RowError(str(row))
    return row


def unguarded(cell: str) -> str:
    """Removes the apostrophe that `guarded` puts before a cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell, 1) else cell


def shared_cells(annotation: ExchangedAnnotation) -> dict[str, Any]:
    """Returns the coder, the text and the metadata of an annotation by column."""
    # 1 and 0, as for frames: every program reads them, in whatever language it writes true and false.
    return {"coder": annotation.coder, "text": annotation.text, **annotation.metadata, "unsure": int(annotation.unsure)}


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
