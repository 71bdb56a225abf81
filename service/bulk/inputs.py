"""The inputs of `framing score`: files, folders, patterns and URLs, and the parts into which they are divided.

The parts depend on the input alone, never on the executor, so that the output is always the same.
"""

import csv
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import IO, Any, Literal

from labels.errors import FramingError

InputKind = Literal["documents", "lines", "csv", "parquet"]

STDIN = "-"
HTML = (".html", ".htm", ".xhtml")
_SUFFIXES: dict[str, InputKind] = {
    **dict.fromkeys((".txt", ".text", ".md", ".json", *HTML), "documents"),
    **dict.fromkeys((".jsonl", ".ndjson"), "lines"),
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    ".parquet": "parquet",
}
_PART_BYTES = 8 * 2**20
_DOCUMENTS_PER_PART = 500
_MAX_STRIDES = 8
_BLOCK = 2**20
_MAX_CELL = 2**30


class InputError(FramingError):
    """An input cannot be read as articles."""


@dataclass(frozen=True, slots=True)
class File:
    """A file at a URL or path. `name` is the user's name for it; `version` changes with its content."""

    url: str
    name: str
    size: int
    version: str

    @property
    def suffix(self) -> str:
        """The file name's ending, which determines the format; a `.gz` after it does not count."""
        name = self.name.lower().removesuffix(".gz")
        return name[name.rfind(".") :] if "." in name.rsplit("/", 1)[-1] else ""

    @property
    def compressed(self) -> bool:
        return self.name.lower().endswith(".gz")

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The content, decompressed; raises `InputError` if it cannot be read to its end."""
        import fsspec  # noqa: PLC0415

        try:
            with fsspec.open(self.url, "rb", compression="gzip" if self.compressed else None) as content:
                yield content
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{self.name} cannot be read: {_reason(error)}.") from error


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the input: some documents, a range of bytes, or every `strides`-th piece of a file from `piece` on.

    `start` and `stop` are bytes; without a `stop` the part ends with the file. `first` numbers its first record within
    the file, from 1. Only compressed lines and Parquet come in several pieces.
    """

    number: int
    kind: InputKind
    files: tuple[File, ...]
    start: int = 0
    stop: int | None = None
    first: int = 1
    header: tuple[str, ...] = ()
    piece: int = 0
    strides: int = 1

    @property
    def size(self) -> int:
        """Approximate size of the part, in bytes of input."""
        if self.stop is not None:
            return self.stop - self.start
        return sum(file.size for file in self.files) // self.strides


def find_files(inputs: Sequence[str]) -> list[File]:
    """The files of paths, folders, patterns and URLs, in order.

    Raises `InputError` for an input that cannot be read, a pattern that matches no file, and standard input.
    """
    if STDIN in inputs:
        raise InputError("Scoring of standard input cannot be resumed: save it to a file to score it with --to.")
    return [file for name in inputs for file in _files_of(name)]


def plan(files: Sequence[File], fineness: int = 1) -> Iterator[Part]:
    """The parts of the files; `fineness` makes them so many times smaller than usual."""
    return (Part(number, *part) for number, part in enumerate(_parts(files, fineness)))


def _files_of(name: str) -> Iterator[File]:
    import fsspec  # noqa: PLC0415

    try:
        filesystem, root = fsspec.url_to_fs(name)
        if filesystem.isdir(root):
            infos, base = filesystem.find(root, detail=True), name.rstrip("/")
            for path in sorted(infos):
                file = _file(filesystem, path, base + path[len(root.rstrip("/")) :], infos[path])
                if file.suffix in _SUFFIXES:
                    yield file
        elif any(character in name for character in "*?[") and not filesystem.exists(root):
            infos = filesystem.glob(root, detail=True)
            if not infos:
                raise InputError(f"{name} matches no file.")
            for path in sorted(infos):
                yield _file(filesystem, path, path, infos[path])
        else:
            yield _file(filesystem, root, name, filesystem.info(root))
    except (ImportError, ValueError, OSError) as error:
        raise InputError(f"{name} cannot be read: {_reason(error)}.") from error


def _file(filesystem: Any, path: str, name: str, info: dict[str, Any]) -> File:
    changed = next((str(info[key]) for key in ("ETag", "etag", "md5Hash", "mtime", "LastModified") if key in info), "")
    return File(filesystem.unstrip_protocol(path), name, int(info["size"] or 0), changed)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def kind_of(file: File) -> InputKind:
    """The kind of a file, by its ending; a document if the ending is unknown."""
    return _SUFFIXES.get(file.suffix, "documents")


def _parts(files: Sequence[File], fineness: int) -> Iterator[tuple[Any, ...]]:
    part_bytes, documents = _PART_BYTES // fineness, _DOCUMENTS_PER_PART // fineness
    waiting: list[File] = []
    for file in files:
        kind = kind_of(file)
        if kind == "documents":
            waiting.append(file)
            if len(waiting) == documents or sum(document.size for document in waiting) >= part_bytes:
                yield "documents", tuple(waiting)
                waiting = []
            continue
        if waiting:
            yield "documents", tuple(waiting)
            waiting = []
        if kind == "parquet":
            local = file.url.startswith("file://")
            strides = max(1, min(_MAX_STRIDES, file.size // part_bytes)) if local else 1
            yield from ((kind, (file,), 0, None, 1, (), piece, strides) for piece in range(strides))
        elif file.compressed:
            yield kind, (file,)
        else:
            yield from _ranges(file, kind, part_bytes)
    if waiting:
        yield "documents", tuple(waiting)


def _ranges(file: File, kind: InputKind, part_bytes: int) -> Iterator[tuple[Any, ...]]:
    """Ranges of whole records, of `part_bytes` bytes or a little more.

    A line break between quotation marks does not end a record; a cell has an even number of quotation marks.
    """
    with file.open() as content:
        header: tuple[str, ...] = ()
        if kind == "csv":
            header = read_header(file, content)
        start = place = content.tell()
        first = record = 1
        open_quote = False
        while block := content.read(_BLOCK):
            if place + len(block) - start < part_bytes:
                record, open_quote = _count(block, record, open_quote, kind)
                place += len(block)
                continue
            for line in io.BytesIO(block + content.readline()):
                record, open_quote = _count(line, record, open_quote, kind)
                place += len(line)
                if place - start >= part_bytes and line.endswith(b"\n") and not open_quote:
                    yield kind, (file,), start, place, first, header
                    start, first = place, record
        if place > start:
            yield kind, (file,), start, place, first, header


def _count(block: bytes, record: int, open_quote: bool, kind: InputKind) -> tuple[int, bool]:
    """The number of the next record after a block, and whether a quotation mark is open there."""
    if kind != "csv" or b'"' not in block:
        return record + (0 if open_quote and kind == "csv" else block.count(b"\n")), open_quote
    for place, piece in enumerate(block.split(b'"')):
        open_quote = open_quote ^ (place > 0)
        if not open_quote:
            record += piece.count(b"\n")
    return record, open_quote


@cache
def _dialect(suffix: str) -> str:
    return "excel-tab" if suffix == ".tsv" else "excel"


def read_header(file: File, content: IO[bytes]) -> tuple[str, ...]:
    """Reads the first row of a table and leaves `content` after it; raises `InputError` if it is not readable."""
    try:
        line = content.readline().removeprefix(b"\xef\xbb\xbf").decode()
        [row] = csv.reader([line], dialect=_dialect(file.suffix))
    except (UnicodeDecodeError, csv.Error, ValueError):
        raise InputError(f"{file.name} does not begin with a row of column names in UTF-8.") from None
    return tuple(name.strip() for name in row)


def read_rows(file: File, lines: Iterator[str]) -> Iterator[list[str]]:
    """The rows of a table, with cells of any length, since a cell may hold a whole article."""
    csv.field_size_limit(_MAX_CELL)
    return csv.reader(lines, dialect=_dialect(file.suffix))
