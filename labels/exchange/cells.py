"""Cells of CSV files: what both layouts share, and cells that a spreadsheet must not take for formulas."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from labels.exchange.code import FACTS, Code, ExchangeError, RowError, decoded, facts_of, require_text

COLUMNS = ("coder", "text", *FACTS)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'", "＝", "＋", "－", "＠")
_NUMBERS = {"paragraph": int, "codebook_version": int, "inclusion_probability": float}


def write_table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A CSV file (RFC 4180, UTF-8)."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: guarded(value) for name, value in row.items()})
    return out.getvalue().encode()


def guarded(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula gets an apostrophe, which `read_table` takes away again."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def read_table(data: bytes, needed: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Place and cells of each row; raises `ExchangeError` where a needed column is missing."""
    what = "The CSV file"
    csv.field_size_limit(2**20)
    try:
        reader = csv.DictReader(io.StringIO(decoded(data, what), newline=""), strict=True)
        missing = [name for name in needed if name not in (reader.fieldnames or [])]
        if missing:
            raise ExchangeError(what, [f"it has no column '{name}'" for name in missing])
        for row in reader:
            yield f"row {reader.line_num}", {name: _plain(cell or "") for name, cell in row.items() if name is not None}
    except csv.Error as error:
        raise ExchangeError(what, [str(error)]) from error


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def shared_cells(code: Code) -> dict[str, Any]:
    return {"coder": code.coder, "text": code.text, **code.facts}


def shared_fields(row: Mapping[str, str]) -> dict[str, Any]:
    """Coder, text and metadata of a row, as `Code` takes them."""
    facts: dict[str, Any] = {name: row.get(name) for name in FACTS}
    for name, kind in _NUMBERS.items():
        if facts[name]:
            try:
                facts[name] = kind(facts[name])
            except ValueError:
                raise RowError(f"'{name}' must be a number") from None
    return {"coder": row.get("coder", ""), "text": require_text(row), **facts_of(facts, "csv")}
