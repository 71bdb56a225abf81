"""Writes tables as a stream of bytes (CSV, JSON Lines, Parquet, Arrow), in memory that does not grow with the rows."""

import csv
import io
import json
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import IO, Any, Literal, cast

from labels.exchange.cells import guarded
from labels.files.json_records import on_a_single_line

Format = Literal["csv", "ndjson", "parquet", "arrow"]
ColumnKind = Literal["text", "whole", "number", "flag", "day", "moment"]
Row = Sequence[Any]

MEDIA_TYPES: Mapping[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_ROW_GROUP = 20_000
_CHUNKS_WAITING = 16


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name and the type of its values. Any value may be missing (None)."""

    name: str
    kind: ColumnKind


def stream(columns: Sequence[Column], batches: Iterable[Sequence[Row]], file_format: Format) -> Iterator[bytes]:
    """Yields the bytes of a file; only the current batch is in memory."""
    if file_format == "csv":
        return _csv(columns, batches)
    if file_format == "ndjson":
        return _json_lines(columns, batches)
    return _arrow(columns, batches, file_format)


def whole(columns: Sequence[Column], batches: Iterable[Sequence[Row]], file_format: Format) -> bytes:
    """Returns the bytes of a file; raises the errors of `batches`."""
    if file_format in ("csv", "ndjson"):
        return b"".join(stream(columns, batches, file_format))
    # Convert all batches before writing: the writer would replace the errors of `batches` by errors that it raises.
    table, out = _ArrowTable(columns), io.BytesIO()
    table.write([table.convert(batch) for batch in batches if batch], out, file_format)
    return out.getvalue()


def _csv(columns: Sequence[Column], batches: Iterable[Sequence[Row]]) -> Iterator[bytes]:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.name for column in columns])
    for batch in batches:
        writer.writerows(_converted(columns, batch, lambda value: guarded(_plain(value))))
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()
    yield out.getvalue().encode()


def _json_lines(columns: Sequence[Column], batches: Iterable[Sequence[Row]]) -> Iterator[bytes]:
    line = "{{" + ",".join(json.dumps(column.name) + ":{}" for column in columns) + "}}\n"
    for batch in batches:
        cells = _converted(columns, batch, _as_json, numbers=True)
        yield "".join(line.format(*row) for row in cells).encode()


def _as_json(value: Any) -> str:
    return on_a_single_line(json.dumps(_plain(value), ensure_ascii=False))


def _converted(
    columns: Sequence[Column], batch: Sequence[Row], convert: Callable[[Any], Any], *, numbers: bool = False
) -> Iterable[Row]:
    """Converts the values of a batch, each distinct value of a column only once; numbers only on demand."""
    converted = []
    for column, values in zip(columns, zip(*batch, strict=True), strict=False):
        if column.kind in ("number", "whole") and not numbers:
            converted.append(values)
        elif column.kind == "number":
            converted.append(tuple(map(convert, values)))
        else:
            known = {value: convert(value) for value in set(values)}
            converted.append(tuple(known[value] for value in values))
    return zip(*converted, strict=True)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _arrow(columns: Sequence[Column], batches: Iterable[Sequence[Row]], file_format: Format) -> Iterator[bytes]:
    table = _ArrowTable(columns)
    converted = (table.convert(batch) for batch in batches if batch)
    return _pushed(lambda file: table.write(converted, file, file_format))


class _ArrowTable:
    """Converts rows to Arrow and writes them."""

    def __init__(self, columns: Sequence[Column]) -> None:
        from arro3 import core  # noqa: PLC0415 - only Parquet and Arrow need it

        self._core, self._columns = core, columns
        self._types: dict[ColumnKind, Any] = {
            "text": core.DataType.string(),
            "whole": core.DataType.int64(),
            "number": core.DataType.float64(),
            "flag": core.DataType.bool(),
            "day": core.DataType.date32(),
            "moment": core.DataType.timestamp("us", tz="UTC"),
        }
        fields = [core.Field(column.name, self._types[column.kind], nullable=True) for column in columns]
        self._schema = core.Schema(fields)

    def convert(self, batch: Sequence[Row]) -> Any:
        """Converts rows to a record batch."""
        columns = zip(self._columns, zip(*batch, strict=True), strict=True)
        arrays = [_array(self._core, list(values), column.kind, self._types) for column, values in columns]
        return self._core.RecordBatch.from_arrays(arrays, schema=self._schema)

    def write(self, converted: Iterable[Any], file: IO[bytes], file_format: Format) -> None:
        """Writes record batches to a file."""
        from arro3 import io as files  # noqa: PLC0415

        # The reader accepts an iterator and takes the next batch after it has written the previous batch.
        reader = self._core.RecordBatchReader.from_batches(self._schema, cast(Any, converted))
        if file_format == "parquet":
            files.write_parquet(reader, file, compression="zstd(3)", max_row_group_size=_ROW_GROUP)
        else:
            files.write_ipc_stream(reader, file)


_EPOCH, _FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC), date(1970, 1, 1)


def _array(core: Any, values: list[Any], kind: ColumnKind, types: Mapping[ColumnKind, Any]) -> Any:
    if kind == "day":
        days = [None if value is None else (value - _FIRST_DAY).days for value in values]
        return core.Array(days, type=core.DataType.int32()).cast(types[kind])
    if kind == "moment":
        moments = [None if value is None else _microseconds(value) for value in values]
        return core.Array(moments, type=core.DataType.int64()).cast(types[kind])
    return core.Array(values, type=types[kind])


def _microseconds(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class _Pipe(io.RawIOBase):
    """A pipe between a writing and a reading thread, with a bounded number of waiting chunks."""

    def __init__(self) -> None:
        self.chunks: queue.Queue[bytes | BaseException | None] = queue.Queue(_CHUNKS_WAITING)
        self.abandoned = threading.Event()

    def writable(self) -> bool:
        return True

    def write(self, chunk: Any) -> int:
        self.put(bytes(chunk))
        return len(chunk)

    def put(self, item: bytes | BaseException | None) -> None:
        while not self.abandoned.is_set():
            try:
                return self.chunks.put(item, timeout=0.2)
            except queue.Full:
                continue
        raise BrokenPipeError("The reader has stopped reading.")


def _pushed(write: Callable[[IO[bytes]], None]) -> Iterator[bytes]:
    """Turns a function that writes to a file into an iterator over the bytes that it writes."""
    pipe = _Pipe()

    def work() -> None:
        try:
            write(cast(IO[bytes], pipe))
            pipe.put(None)
        except BrokenPipeError:
            return
        except BaseException as error:  # noqa: BLE001 - the reader raises it
            if not pipe.abandoned.is_set():
                pipe.put(error)

    threading.Thread(target=work, name="table writer", daemon=True).start()
    try:
        while (item := pipe.chunks.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        pipe.abandoned.set()
