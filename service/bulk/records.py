"""The articles of a part of the input: for each the fields in its file, or why it cannot be read."""

import dataclasses
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, count, islice
from typing import IO, Any, cast

from labels.errors import FileError
from labels.files import encodings, json_records, tables
from labels.files.documents import PDF, PDF_START, read_document, require_text
from labels.files.documents import SUFFIXES as EXTRACTED
from labels.files.extraction_process import EXTRACTION
from labels.files.sheets import read_sheets
from labels.reading.field_lines import separate_documents
from service.articles.uploads import HTML
from service.bulk.inputs import STDIN, Dialect, File, InputError, Part, find_files, plan, text_of

TEXTS = ("text", "html", "paragraphs")
FACTS = ("external_id", "url", "title", "outlet", "author", "published_at")
FIELDS = (*TEXTS, *FACTS, "force_language")
_RECORDS_PER_PIECE = 1000
# A document is read at once; an article is far smaller.
_MAX_DOCUMENT = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Record:
    """An article of the input, unchecked: `fields` may be anything. If it cannot be read, `fault` says why.

    `name` is for messages: the file, and within tables and JSON Lines the row or line. `encoding` is that of the file,
    if it is text. `columns` are the columns of a table that were read, by field; of JSON, those with another name.
    """

    source: str
    number: int
    name: str
    fields: Any
    fault: str | None = None
    encoding: str | None = None
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutputPiece:
    """Records that become a file of the output, which is named by part and number."""

    number: int
    records: Iterable[Record]


# Column of the input by field, for fields whose column has another name.
Columns = Mapping[str, str]


def require_columns(parts: Sequence[Part], columns: Columns) -> None:
    """Raises `InputError` where the input is tables alone, and a fact is to come from a column that none of them has.

    A table without its text is a problem of that file; without its outlet, it would be stored as if it had none.
    """
    headers = [part.table.columns for part in parts if part.table is not None]
    if not headers or any(part.kind not in ("csv", "unreadable") for part in parts):
        return
    there = {name for header in headers for name in header}
    for field, name in columns.items():
        if field not in TEXTS and there.isdisjoint((field, name)):
            raise InputError(f"No table has the column '{name}' for {field}. There are: {', '.join(headers[0])}.")


def delimiters_of(parts: Iterable[Part]) -> Iterator[str]:
    """A sentence for each table whose cells no comma separates."""
    for part in parts:
        if part.table is not None and part.table.delimiter != "," and part.first == 1:
            yield f"{part.files[0].name}: its cells are separated by {part.table.delimiter_name}."


def read_records(
    inputs: Sequence[str],
    columns: Columns | None = None,
    dialect: Dialect | None = None,
    say: Callable[[str], None] = lambda _sentence: None,
    hosts: tuple[str, ...] = (),
) -> Iterator[Record]:
    """All articles of some inputs, in order; a file that cannot be read is a record with a fault.

    `say` gets a sentence about each table whose cells no comma separates; `hosts` as in `find_files`.
    """
    for name in inputs:
        if name == STDIN:
            yield Record(STDIN, 1, "standard input", {"text": sys.stdin.read()})
            continue
        for part in plan(find_files([name], hosts)[0], dialect=dialect):
            for sentence in delimiters_of([part]):
                say(sentence)
            for piece in pieces(part, columns or {}):
                yield from piece.records


def pieces(part: Part, columns: Columns, fineness: int = 1) -> Iterator[OutputPiece]:
    """The records of a part, in the pieces of its output. A piece must be read to its end before the next begins.

    `fineness` makes the pieces so many times smaller than usual.
    """
    size = _RECORDS_PER_PIECE // fineness
    file = part.files[0]
    if part.kind == "documents":
        yield OutputPiece(0, chain.from_iterable(_documents(file, part.encoding) for file in part.files))
    elif part.kind == "parquet":
        yield from _parquet(part, file, columns, size)
    else:
        records = _named_faults(file, _records(part, file, columns))
        if part.stop is not None or part.kind == "unreadable":
            yield OutputPiece(0, records)
            return
        for number, first in enumerate(records):
            yield OutputPiece(number, chain([first], islice(records, size - 1)))


def _records(part: Part, file: File, columns: Columns) -> Iterator[Record]:
    """The records of a text or of a file that could not be read."""
    if part.fault is not None:
        raise InputError(part.fault)
    if part.kind in ("csv", "sheets"):
        yield from _rows(part, file, columns) if part.kind == "csv" else _sheets(file, columns)
        return
    for record in _lines(part, file) if part.kind == "lines" else _entries(part, file):
        yield _renamed(record, columns)


def _named_faults(file: File, records: Iterator[Record]) -> Iterator[Record]:
    """The records of a file; if it cannot be read to its end, the last of them says why."""
    number = 0
    try:
        for record in records:
            number = record.number
            yield record
    except UnicodeDecodeError:
        yield Record(file.name, number + 1, file.name, {}, encodings.DAMAGED)
    except (InputError, FileError) as error:
        yield Record(file.name, number + 1, file.name, {}, str(error))


def _sheets(file: File, columns: Columns) -> Iterator[Record]:
    """The rows of all sheets of a spreadsheet, with the numbers that the program shows for them."""
    sheets = EXTRACTION.run(read_sheets, _whole(file))
    number = 0
    for sheet in sheets:
        name = f"{file.name} sheet '{sheet.name}'" if len(sheets) > 1 else file.name
        try:
            used = _used_of(sheet.columns, columns)
        except InputError as error:
            number += 1
            yield Record(file.name, number, name, {}, str(error))
            continue
        names = {field: sheet.columns[place] for field, place in used}
        for row, cells in sheet.rows:
            number += 1
            fields = {field: cells[place] for field, place in used if cells[place]}
            yield Record(file.name, number, f"{name} row {row}", fields, columns=names)


def _whole(file: File) -> bytes:
    with file.open() as content:
        whole = content.read(_MAX_DOCUMENT + 1)
    if len(whole) > _MAX_DOCUMENT:
        raise InputError(f"It is larger than {_MAX_DOCUMENT // 2**20} MiB.")
    return whole


def _documents(file: File, encoding: str | None) -> Iterator[Record]:
    return _named_faults(file, _document(file, encoding))


def _document(file: File, encoding: str | None) -> Iterator[Record]:
    whole = _whole(file)
    if file.suffix in EXTRACTED or whole.startswith(PDF_START):
        kind = file.suffix if file.suffix in EXTRACTED else PDF
        document = EXTRACTION.run(read_document, kind, whole)
        articles = list(_articles(file, document.text, None))
        yield from articles
        if document.fault is not None:
            yield Record(file.name, len(articles) + 1, file.name, {}, document.fault)
        return
    require_text(whole)
    read = encodings.decoded(whole, encoding)
    if file.suffix == ".json":
        yield from _json(file, json_records.read_text(read.text), "entry", read.encoding)
    elif file.suffix in HTML:
        yield Record(file.name, 1, file.name, {"html": read.text}, encoding=read.encoding)
    else:
        yield from _articles(file, read.text, read.encoding)


def _articles(file: File, text: str, encoding: str | None) -> Iterator[Record]:
    """The article of a text, or each article of an export that holds several."""
    documents = separate_documents(text)
    for number, document in enumerate(documents, 1):
        name = file.name if len(documents) == 1 else f"{file.name} document {number}"
        yield Record(file.name, number, name, {"text": document}, encoding=encoding)


def _lines(part: Part, file: File) -> Iterator[Record]:
    with _text(part, file) as lines:
        yield from _json(file, json_records.read_lines(lines, part.first), "line", part.encoding)


def _entries(part: Part, file: File) -> Iterator[Record]:
    with _text(part, file) as lines:
        yield from _json(file, json_records.read_text("".join(lines)), "entry", part.encoding)


def _json(file: File, records: Iterable[json_records.JsonRecord], noun: str, encoding: str | None) -> Iterator[Record]:
    for record in records:
        name = file.name if noun == "entry" and record.number == 1 else f"{file.name} {noun} {record.number}"
        yield Record(file.name, record.number, name, record.value, record.fault, shown(encoding))


@contextmanager
def _text(part: Part, file: File) -> Iterator[Iterator[str]]:
    """The lines of a part, only ended by a line feed unless it is a table; the last line ends with the part."""
    encoding = part.encoding or encodings.UTF_8
    with file.open() as content:
        if part.stop is None:
            text = text_of(content, encoding)
        else:
            # A mark stands only at the beginning of a file, which the part leaves out.
            text = text_of(cast(IO[bytes], _Raw(_range(part, content))), encodings.shown(encoding))
        if part.kind != "csv":
            text.reconfigure(newline="\n")
        yield text


def _range(part: Part, content: Any) -> Iterator[bytes]:
    """The lines of a part; the last line ends with the part."""
    content.seek(part.start)
    left = (part.stop or 0) - part.start
    while left > 0 and (line := content.readline()):
        left -= len(line)
        yield line


def _rows(part: Part, file: File, columns: Columns) -> Iterator[Record]:
    dialect = part.table
    if dialect is None:
        raise InputError("It is not a table.")
    used = _used(dialect, columns)
    names = {field: dialect.columns[place] for field, place in used}
    with _text(part, file) as lines:
        # A part that is a range of bytes begins after the names of the columns.
        body = islice(lines, dialect.head_lines, None) if part.stop is None else lines
        for row in tables.read_rows(body, dialect):
            number = part.first + row.number - 1
            fields = {field: row.cells[place] for field, place in used if row.cells and row.cells[place]}
            yield Record(file.name, number, f"{file.name} row {number}", fields, row.fault, shown(part.encoding), names)


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


def _used(dialect: tables.Dialect, columns: Columns) -> list[tuple[str, int]]:
    """Field and position of each column that is read; raises `InputError` if none of them holds text."""
    try:
        return _used_of(dialect.columns, columns)
    except InputError as error:
        raise InputError(f"{error} The columns are separated by {dialect.delimiter_name}.") from None


def _used_of(header: Sequence[str], columns: Columns) -> list[tuple[str, int]]:
    """Like `_used`. A field whose column is not there is read from the column of its own name."""
    places = {name: place for place, name in enumerate(header)}
    names = {field: next((n for n in (columns.get(field), field) if n in places), None) for field in FIELDS}
    used = [(field, places[name]) for field, name in names.items() if name is not None]
    if not any(field in TEXTS for field, _ in used):
        raise InputError(
            f"It has no column named text, html or paragraphs (its columns are {tables.shown_columns(header)}); "
            "name the column of the text, as in --column text=body."
        )
    return used


def _parquet(part: Part, file: File, columns: Columns, size: int) -> Iterator[OutputPiece]:
    """The pieces of a Parquet file; where it cannot be read, the last piece of the first part says why."""
    number, first = 0, 1
    try:
        for number, (rows, cells, names) in enumerate(_batches(part, file, columns, size)):
            if cells is not None:
                yield OutputPiece(number, _table(file, first, rows, cells, names))
            first += rows
    except InputError as error:
        if part.piece == 0:
            yield OutputPiece(number + 1, [Record(file.name, first, file.name, {}, str(error))])


def _batches(
    part: Part, file: File, columns: Columns, size: int
) -> Iterator[tuple[int, dict[str, Any] | None, Columns]]:
    """Number of rows, cells and columns by field of each batch; no cells if it belongs to another part."""
    from arro3.io import read_parquet  # noqa: PLC0415 - only these files need it

    with file.open() as content:
        with _parquet_faults():
            batches = read_parquet(content, batch_size=size)
            names = batches.schema.names
        used = _used_of(names, columns)
        read = {field: names[place] for field, place in used}
        for number in count():
            with _parquet_faults():
                batch = next(batches, None)
                if batch is None:
                    return
                own = number % part.strides == part.piece
                cells = {field: batch.column(place).to_pylist() for field, place in used} if own else None
            yield batch.num_rows, cells, read


@contextmanager
def _parquet_faults() -> Iterator[None]:
    """Turns errors of the library into `InputError`; it may also panic, which raises a `BaseException`."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise InputError("It is not a Parquet file that can be read.") from error
        raise


def _table(file: File, first: int, count: int, cells: Mapping[str, Any], names: Columns) -> Iterator[Record]:
    for place in range(count):
        fields = {field: values[place] for field, values in cells.items() if values[place] is not None}
        yield Record(file.name, first + place, f"{file.name} row {first + place}", fields, columns=names)


def _renamed(record: Record, columns: Columns) -> Record:
    """The record with the fields that the columns name; without its column, a field is read from its own name."""
    fields = record.fields
    if not isinstance(fields, dict) or not columns:
        return record
    named = {field: fields[name] for field, name in columns.items() if fields.get(name) is not None}
    moved = {name for field, name in columns.items() if field in named and name not in columns}
    others = {name: value for name, value in fields.items() if name not in moved}
    read = {field: name for field, name in columns.items() if field in named or field not in fields}
    return replace(record, fields={**others, **named}, columns=read)


def shown(encoding: str | None) -> str | None:
    """The encoding of a text as it is shown."""
    return None if encoding is None else encodings.shown(encoding)
