"""Tables of text: the reader of CSV, whatever separates its cells. Rows that are not whole are named."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from labels.errors import FileError
from labels.files.encodings import DAMAGED, is_damaged
from labels.wording import counted

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
# A cell may hold a whole article.
_MAX_CELL = 2**30
_ROWS_COMPARED = 20
_NAMES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Dialect:
    """What separates the cells, the names of the columns, and the number of lines before the first row.

    With `skips_space`, a blank after what separates the cells is no part of them.
    """

    delimiter: str
    columns: tuple[str, ...]
    head_lines: int
    skips_space: bool = False

    @property
    def delimiter_name(self) -> str:
        """The delimiter in words."""
        return DELIMITERS.get(self.delimiter, f"'{self.delimiter}'")


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row, numbered from 1 after the names of the columns; `fault` is a sentence if its cells cannot be read."""

    number: int
    cells: tuple[str, ...] = ()
    fault: str | None = None


def delimiter_named(name: str) -> str:
    """The delimiter of an option: itself, or in words; raises `FileError` if it is not a single character."""
    words = {word: delimiter for delimiter, word in DELIMITERS.items()} | {"\\t": "\t", "bar": "|"}
    delimiter = words.get(name.strip().lower() or name, name)
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise FileError(f"'{name}' cannot separate cells; write a single character, tab or semicolon.")
    return delimiter


def find_dialect(lines: Sequence[str], delimiter: str | None = None) -> Dialect:
    """The dialect of a table, from its first lines; raises `FileError` without columns or with a column twice.

    Without a given delimiter, a first line `sep=;` says it; else it is what gives the most columns, with which most
    rows agree.
    """
    csv.field_size_limit(_MAX_CELL)
    head = 0
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].rstrip("\r\n")) == 5:
        head, delimiter = 1, delimiter or lines[0][4]
    body = lines[head:]
    if delimiter is None:
        delimiter = max(DELIMITERS, key=lambda candidate: _agreement(body, candidate))
    names, header_lines = _header(body, delimiter)
    columns = tuple(name.removeprefix("\ufeff").strip().strip('"') for name in names)
    skips_space = len(names) > 1 and all(name.startswith(" ") for name in names[1:])
    dialect = Dialect(delimiter, columns, head + header_lines, skips_space)
    _require_columns(dialect)
    return dialect


def read_rows(lines: Iterable[str], dialect: Dialect) -> Iterator[TableRow]:
    """The rows after the names of the columns; empty lines and rows of empty cells count as rows and are left out.

    A row with more or fewer cells than there are columns has a fault. After a quotation mark that is not closed no row
    can be separated from the next, so the rows end with that fault.
    """
    csv.field_size_limit(_MAX_CELL)
    reader = csv.reader(lines, delimiter=dialect.delimiter, skipinitialspace=dialect.skips_space, strict=True)
    number, width = 0, len(dialect.columns)
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield TableRow(
                number, fault="A quotation mark in this row is not closed; the rows from it on are not read."
            )
            return
        if any(map(is_damaged, cells)):
            yield TableRow(number, fault=DAMAGED)
        elif not any(cell.strip() for cell in cells):
            continue
        elif len(cells) == width:
            yield TableRow(number, tuple(cells))
        else:
            yield TableRow(number, fault=_wrong_width(len(cells), dialect))


def shown_columns(columns: Sequence[str]) -> str:
    """The names of columns, the first of many, for a message."""
    more = f" and {len(columns) - _NAMES_SHOWN} more" if len(columns) > _NAMES_SHOWN else ""
    return ", ".join(columns[:_NAMES_SHOWN]) + more


def _wrong_width(cells: int, dialect: Dialect) -> str:
    return (
        f"It has {counted(cells, 'cell')}, and the table has {len(dialect.columns)} columns, "
        f"separated by {dialect.delimiter_name}; a text with that character stands in quotation marks."
    )


def _agreement(lines: Sequence[str], delimiter: str) -> tuple[int, float]:
    """The number of columns that a delimiter gives, and the share of rows that have as many cells."""
    try:
        rows = list(islice(csv.reader(lines, delimiter=delimiter), _ROWS_COMPARED))
    except csv.Error:
        return (0, 0.0)
    columns, others = len(rows[0]) if rows else 0, rows[1:]
    return columns, sum(len(row) == columns for row in others) / max(len(others), 1)


def _header(lines: Sequence[str], delimiter: str) -> tuple[tuple[str, ...], int]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for names in reader:
            if names:
                return tuple(names), reader.line_num
    except csv.Error:
        raise FileError("The names of its columns cannot be read: a quotation mark is not closed.") from None
    raise FileError("It is empty: a table begins with the names of its columns.")


def twice_in(columns: Sequence[str]) -> str:
    """The names that stand more than once among columns, in quotation marks; empty if none does."""
    return " and ".join(repr(name) for name, times in sorted(Counter(columns).items()) if name and times > 1)


def _require_columns(dialect: Dialect) -> None:
    twice = twice_in(dialect.columns)
    if twice:
        raise FileError(
            f"It has {twice} more than once among its columns "
            f"({shown_columns(dialect.columns)}), separated by {dialect.delimiter_name}."
        )
