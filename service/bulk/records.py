"""The articles of a part of the input: for each the fields in its file, or why it cannot be read."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import Any

from service.bulk.inputs import HTML, STDIN, File, InputError, Part, find_files, plan, read_header, read_rows

TEXTS = ("text", "html", "paragraphs")
FACTS = ("external_id", "url", "title", "outlet", "author", "published_at")
_FIELDS = (*TEXTS, *FACTS, "force_language")
_RECORDS_PER_PIECE = 1000


@dataclass(frozen=True, slots=True)
class Record:
    """An article of the input, unchecked: `fields` may be anything. If it cannot be read, `fault` says why.

    `name` is for messages: the file, and within tables and JSON Lines the row or line.
    """

    source: str
    number: int
    name: str
    fields: Any
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class OutputPiece:
    """Records that become a file of the output, which is named by part and number."""

    number: int
    records: Iterable[Record]


# Column of the input by field, for fields whose column has another name.
Columns = Mapping[str, str]


def read_records(inputs: Sequence[str], columns: Columns | None = None) -> Iterator[Record]:
    """All articles of some inputs, in order; raises `InputError` for a file that cannot be read."""
    for name in inputs:
        if name == STDIN:
            yield Record(STDIN, 1, "standard input", {"text": sys.stdin.read()})
            continue
        for part in plan(find_files([name])):
            for piece in pieces(part, columns or {}):
                yield from piece.records


def pieces(part: Part, columns: Columns, fineness: int = 1) -> Iterator[OutputPiece]:
    """The records of a part, in the pieces of its output. A piece must be read to its end before the next begins.

    `fineness` makes the pieces so many times smaller than usual.
    """
    size = _RECORDS_PER_PIECE // fineness
    if part.kind == "documents":
        yield OutputPiece(0, chain.from_iterable(_documents(file) for file in part.files))
        return
    file = part.files[0]
    if part.kind == "parquet":
        yield from _parquet(part, file, columns, size)
        return
    records = _lines(part, file, columns) if part.kind == "lines" else _rows(part, file, columns)
    if part.stop is not None:
        yield OutputPiece(0, records)
        return
    for number, first in enumerate(records):
        yield OutputPiece(number, chain([first], islice(records, size - 1)))


def _documents(file: File) -> Iterator[Record]:
    with file.open() as content:
        whole = content.read()
    try:
        text = whole.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        yield Record(file.name, 1, file.name, {}, "It is not UTF-8 text.")
        return
    if file.suffix == ".json":
        yield _json(file.name, 1, file.name, text)
    else:
        yield Record(file.name, 1, file.name, {"html" if file.suffix in HTML else "text": text})


def _lines(part: Part, file: File, columns: Columns) -> Iterator[Record]:
    with file.open() as content:
        for number, line in enumerate(_range(part, content), part.first):
            if not line.strip():
                continue
            name = f"{file.name} line {number}"
            try:
                text = line.decode()
            except UnicodeDecodeError:
                yield Record(file.name, number, name, {}, "It is not UTF-8 text.")
                continue
            record = _json(file.name, number, name, text)
            yield _renamed(record, columns) if columns else record


def _range(part: Part, content: Any) -> Iterator[bytes]:
    """The lines of a part; the last line ends with the part."""
    if part.stop is None:
        yield from content
        return
    content.seek(part.start)
    left = part.stop - part.start
    while left > 0 and (line := content.readline()):
        left -= len(line)
        yield line


def _json(source: str, number: int, name: str, text: str) -> Record:
    try:
        return Record(source, number, name, json.loads(text))
    except (ValueError, RecursionError):
        return Record(source, number, name, {}, "It is not valid JSON.")


def _rows(part: Part, file: File, columns: Columns) -> Iterator[Record]:
    with file.open() as content:
        header = part.header or read_header(file, content)
        used = _used(file, header, columns)
        text = io.TextIOWrapper(io.BufferedReader(_Raw(_range(part, content))), encoding="utf-8", newline="")
        try:
            for number, row in enumerate(read_rows(file, text), part.first):
                if row:
                    fields = {field: row[place] for field, place in used if place < len(row) and row[place]}
                    yield Record(file.name, number, f"{file.name} row {number}", fields)
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{file.name} is not a table in UTF-8: {error}.") from error


class _Raw(io.RawIOBase):
    """Lines of bytes, readable as a file."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._rest or next(self._lines, b"")
        size = min(len(buffer), len(chunk))
        buffer[:size], self._rest = chunk[:size], chunk[size:]
        return size


def _used(file: File, header: Sequence[str], columns: Columns) -> list[tuple[str, int]]:
    """Field and position of each column that is read; raises `InputError` if none of them holds text."""
    places = {name: place for place, name in enumerate(header)}
    used = [(field, places[columns.get(field, field)]) for field in _FIELDS if columns.get(field, field) in places]
    if not any(field in TEXTS for field, _ in used):
        raise InputError(
            f"{file.name} has no column named text, html or paragraphs (its columns are {', '.join(header[:20])}); "
            "name the column of the text, as in --column text=body."
        )
    return used


def _parquet(part: Part, file: File, columns: Columns, size: int) -> Iterator[OutputPiece]:
    from arro3.io import read_parquet  # noqa: PLC0415 - only these files need it

    with file.open() as content:
        with _parquet_faults(file):
            batches = read_parquet(content, batch_size=size)
        used = _used(file, batches.schema.names, columns)
        first = 1
        for number in count():
            with _parquet_faults(file):
                batch = next(batches, None)
            if batch is None:
                return
            if number % part.strides == part.piece:
                cells = {field: batch.column(place).to_pylist() for field, place in used}
                yield OutputPiece(number, _table(file, first, batch.num_rows, cells))
            first += batch.num_rows


@contextmanager
def _parquet_faults(file: File) -> Iterator[None]:
    """Turns errors of the library into `InputError`; it may also panic, which raises a `BaseException`."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise InputError(f"{file.name} is not a Parquet file that can be read.") from error
        raise


def _table(file: File, first: int, count: int, cells: Mapping[str, Any]) -> Iterator[Record]:
    for place in range(count):
        fields = {field: values[place] for field, values in cells.items() if values[place] is not None}
        yield Record(file.name, first + place, f"{file.name} row {first + place}", fields)


def _renamed(record: Record, columns: Columns) -> Record:
    if not isinstance(record.fields, dict):
        return record
    own = {name: field for field, name in columns.items()}
    fields = {own.get(name, name): value for name, value in record.fields.items()}
    return Record(record.source, record.number, record.name, fields, record.fault)
