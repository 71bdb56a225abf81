"""Cells that both CSV layouts share, guarded so that a spreadsheet does not run them as formulas."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from labels.errors import ExchangeError
from labels.exchange.annotation import METADATA, ExchangedAnnotation
from labels.exchange.parsing import RowError, checked_metadata, decode, require_text

FILE = "The CSV file"
COLUMNS = ("coder", "text", *METADATA)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'", "＝", "＋", "－", "＠")
_NUMBERS = {"paragraph": int, "codebook_version": int, "inclusion_probability": float}


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


def read_table(data: bytes, required: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields the place and the cells of each row; raises `ExchangeError` if a required column is missing."""
    csv.field_size_limit(2**20)
    try:
        reader = csv.DictReader(io.StringIO(decode(data, FILE), newline=""), strict=True)
        missing = [name for name in required if name not in (reader.fieldnames or [])]
        if missing:
            raise ExchangeError(FILE, [f"it has no column '{name}'" for name in missing])
        for row in reader:
            yield (
                f"row {reader.line_num}",
                {name: _unguarded(cell or "") for name, cell in row.items() if name is not None},
            )
    except csv.Error as error:
        raise ExchangeError(FILE, [str(error)]) from error


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def shared_cells(annotation: ExchangedAnnotation) -> dict[str, Any]:
    """Returns the coder, the text and the metadata of an annotation by column."""
    return {"coder": annotation.coder, "text": annotation.text, **annotation.metadata}


def shared_fields(row: Mapping[str, str]) -> dict[str, Any]:
    """Returns the coder, the text and the metadata of a row as arguments of `ExchangedAnnotation`."""
    metadata: dict[str, Any] = {name: row.get(name) for name in METADATA}
    for name, number in _NUMBERS.items():
        if metadata[name]:
            try:
                metadata[name] = number(metadata[name])
            except ValueError:
                raise RowError(f"'{name}' must be a number") from None
    return {"coder": row.get("coder", ""), "text": require_text(row), **checked_metadata(metadata, "csv")}
