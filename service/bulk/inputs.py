"""The inputs of a command: files, folders, archives, patterns and URLs, and the parts into which they are divided.

The parts depend on the input alone, never on the executor, so that the output is always the same.
"""

import codecs
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import IO, Any, Literal

from labels.archives import Limits, safe_members
from labels.errors import UNREADABLE_ARCHIVE, ArchiveError, FileError, FramingError
from labels.files import encodings, tables
from labels.files.packed import Bounded
from labels.files.sheets import SUFFIXES as SHEETS
from service.articles.uploads import HTML
from training.errors import OutboundError
from training.outbound.filesystems import options_for

InputKind = Literal["documents", "lines", "list", "csv", "sheets", "parquet", "unreadable"]

STDIN = "-"
_SUFFIXES: dict[str, InputKind] = {
    **dict.fromkeys((".txt", ".text", ".md", ".json", ".pdf", ".docx", *HTML), "documents"),
    **dict.fromkeys((".jsonl", ".ndjson"), "lines"),
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys(SHEETS, "sheets"),
    ".parquet": "parquet",
}
_ARCHIVE = ".zip"
# What macOS and Office put beside files.
_OF_PROGRAMS = ("._", "__MACOSX", "~$")
# A collection of articles is larger than what is uploaded; each member is read by itself.
_ARCHIVE_LIMITS = Limits(size=16 * 2**30)
_PART_BYTES = 8 * 2**20
_DOCUMENTS_PER_PART = 500
_MAX_STRIDES = 8
_BLOCK = 2**20
# The beginning of a table from which its dialect is read, in characters and lines.
_HEAD_CHARACTERS, _HEAD_LINES = 2**20, 100


class InputError(FramingError):
    """An input cannot be read as articles."""


@dataclass(frozen=True, slots=True)
class File:
    """A file at a URL or path. `name` is the user's name for it; `version` changes with its content.

    A file in an archive has the name of the archive before its own. `fault` says why a file cannot be read; `hosts` are
    those that may be asked for it beside the host in the URL.
    """

    url: str
    name: str
    size: int
    version: str
    fault: str | None = None
    hosts: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """The file name's ending, which determines the format; a `.gz` after it does not count."""
        name = self.name.lower().removesuffix(".gz")
        return name[name.rfind(".") :] if "." in name.rsplit("/", 1)[-1] else ""

    @property
    def compressed(self) -> bool:
        return self.name.lower().endswith(".gz")

    @property
    def is_readable(self) -> bool:
        """Whether its ending is among those that are read in folders and archives, and it is no program's own file."""
        by_programs = any(part.startswith(_OF_PROGRAMS) for part in self.name.split("/")[-2:])
        return (self.suffix in _SUFFIXES and not by_programs) or self.fault is not None

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The content, decompressed; raises `InputError` if it cannot be read to its end."""
        import fsspec  # noqa: PLC0415

        try:
            options = options_for(self.url, self.hosts)
            with fsspec.open(self.url, "rb", compression="gzip" if self.compressed else None, **options) as content:
                yield Bounded.opened(content, self.size) if self.compressed else content
        except (FileError, OutboundError) as error:
            raise InputError(str(error)) from error
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, lzma.LZMAError, NotImplementedError) as error:
            raise InputError(f"It cannot be read: {_reason(error)}.") from error


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a user says that texts and tables are to be read; None where a file shall say it itself."""

    encoding: str | None = None
    delimiter: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the input: some documents, a range of bytes, or every `strides`-th piece of a file from `piece` on.

    `start` and `stop` are bytes; without a `stop` the part ends with the file, and begins after `table.head_lines`
    lines. `first` numbers its first record within the file, from 1. Files that are compressed or in UTF-16, JSON lists
    and Parquet come in several pieces. An unreadable file is a part with a `fault`.
    """

    number: int
    kind: InputKind
    files: tuple[File, ...]
    start: int = 0
    stop: int | None = None
    first: int = 1
    table: tables.Dialect | None = None
    encoding: str | None = None
    piece: int = 0
    strides: int = 1
    fault: str | None = None

    @property
    def size(self) -> int:
        """Approximate size of the part, in bytes of input."""
        if self.stop is not None:
            return self.stop - self.start
        return sum(file.size for file in self.files) // self.strides


def find_files(inputs: Sequence[str], hosts: tuple[str, ...] = ()) -> tuple[list[File], list[File]]:
    """The files of paths, folders, archives, patterns and URLs, in order, and those that are passed over.

    A URL may lead on to the `hosts`. Those that are passed over are in folders and archives, and their ending says that
    they are no articles. Raises `InputError` for an input that does not exist, a pattern that matches no file, and
    standard input.
    """
    if STDIN in inputs:
        raise InputError("Scoring of standard input cannot be resumed: save it to a file to score it with --to.")
    pairs = [pair for name in inputs for pair in _files_of(name, hosts)]
    return [file for file, is_read in pairs if is_read], [file for file, is_read in pairs if not is_read]


def plan(files: Sequence[File], fineness: int = 1, dialect: Dialect | None = None) -> Iterator[Part]:
    """The parts of the files; `fineness` makes them so many times smaller than usual."""
    parts = _parts(files, fineness, dialect or Dialect())
    return (replace(part, number=number) for number, part in enumerate(parts))


def _files_of(name: str, hosts: tuple[str, ...]) -> Iterator[tuple[File, bool]]:
    import fsspec  # noqa: PLC0415

    try:
        filesystem, root = fsspec.url_to_fs(name, **options_for(name, hosts))
        if filesystem.isdir(root):
            infos, base = filesystem.find(root, detail=True), name.rstrip("/")
            for path in sorted(infos):
                file = _file(filesystem, path, base + path[len(root.rstrip("/")) :], infos[path], hosts)
                yield from _with_members(file, file.is_readable)
        elif any(character in name for character in "*?[") and not filesystem.exists(root):
            infos = filesystem.glob(root, detail=True)
            if not infos:
                raise InputError(f"{name} matches no file.")
            for path in sorted(infos):
                yield from _with_members(_file(filesystem, path, path, infos[path], hosts), is_read=True)
        else:
            yield from _with_members(_file(filesystem, root, name, filesystem.info(root), hosts), is_read=True)
    except OutboundError as error:
        raise InputError(str(error)) from error
    except (ImportError, ValueError, OSError) as error:
        raise InputError(f"{name} cannot be read: {_reason(error)}.") from error


def _with_members(file: File, is_read: bool) -> Iterator[tuple[File, bool]]:
    """The file; the members of an archive instead of the archive itself."""
    if file.suffix != _ARCHIVE or file.compressed:
        yield file, is_read
        return
    try:
        with file.open() as content, zipfile.ZipFile(content) as archive:
            members = safe_members(archive, limits=_ARCHIVE_LIMITS)
    except (ArchiveError, InputError, *UNREADABLE_ARCHIVE) as error:
        reason = str(error) if isinstance(error, FramingError) else "It is not a zip file that can be read."
        yield replace(file, fault=reason), True
        return
    for member in sorted(members, key=lambda member: member.name):
        inside = File(
            f"zip://{member.name}::{file.url}",
            f"{file.name}/{member.name}",
            member.size,
            file.version,
            hosts=file.hosts,
        )
        yield inside, inside.is_readable


def _file(filesystem: Any, path: str, name: str, info: dict[str, Any], hosts: tuple[str, ...]) -> File:
    changed = next((str(info[key]) for key in ("ETag", "etag", "md5Hash", "mtime", "LastModified") if key in info), "")
    return File(filesystem.unstrip_protocol(path), name, int(info["size"] or 0), changed, hosts=hosts)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def kind_of(file: File) -> InputKind:
    """The kind of a file, by its ending; a document if the ending is unknown."""
    return _SUFFIXES.get(file.suffix, "documents")


def _parts(files: Sequence[File], fineness: int, dialect: Dialect) -> Iterator[Part]:
    part_bytes, documents = _PART_BYTES // fineness, _DOCUMENTS_PER_PART // fineness
    waiting: list[File] = []
    for file in files:
        kind: InputKind = "unreadable" if file.fault else kind_of(file)
        if kind == "documents":
            waiting.append(file)
            if len(waiting) == documents or sum(document.size for document in waiting) >= part_bytes:
                yield _documents(waiting, dialect)
                waiting = []
            continue
        if waiting:
            yield _documents(waiting, dialect)
            waiting = []
        yield from _parts_of(file, kind, part_bytes, dialect)
    if waiting:
        yield _documents(waiting, dialect)


def _documents(files: Sequence[File], dialect: Dialect) -> Part:
    return Part(0, "documents", tuple(files), encoding=dialect.encoding)


def _parts_of(file: File, kind: InputKind, part_bytes: int, dialect: Dialect) -> Iterator[Part]:
    """The parts of a file that is no document; a single part with a fault if it cannot be read."""
    if kind == "unreadable":
        yield Part(0, kind, (file,), fault=file.fault)
    elif kind == "sheets":
        yield Part(0, kind, (file,))
    elif kind == "parquet":
        local = file.url.startswith("file://")
        strides = max(1, min(_MAX_STRIDES, file.size // part_bytes)) if local else 1
        yield from (Part(0, kind, (file,), piece=piece, strides=strides) for piece in range(strides))
    else:
        try:
            whole, start = _whole(file, kind, dialect)
            yield from [whole] if start is None else list(_ranges(whole, start, part_bytes))
        except (InputError, FileError) as error:
            yield Part(0, "unreadable", (file,), fault=str(error))


def _whole(file: File, kind: InputKind, dialect: Dialect) -> tuple[Part, int | None]:
    """A text as a single part, and the byte where its records begin; None if it cannot be divided at bytes."""
    with file.open() as content:
        first = content.read(_BLOCK)
        blocks = chain([first], iter(lambda: content.read(_BLOCK), b""))
        encoding = dialect.encoding or encodings.encoding_of(blocks)
    head, table = _head(file, encoding), None
    if kind == "csv":
        delimiter = dialect.delimiter or ("\t" if file.suffix == ".tsv" and "\t" in "".join(head[:1]) else None)
        table = tables.find_dialect(head, delimiter)
        if encodings.is_damaged("".join(table.columns)):
            raise InputError(f"The names of its columns are not text in {encodings.shown(encoding)}.")
    elif next((line for line in head if line.strip()), "").lstrip().startswith("["):
        return Part(0, "list", (file,), encoding=encoding), None
    part = Part(0, kind, (file,), table=table, encoding=encoding)
    if file.compressed or not encodings.is_of_single_bytes(encoding):
        return part, None
    before = "".join(head[: table.head_lines]) if table else ""
    own = encodings.shown(encoding)
    mark = codecs.BOM_UTF8 if own == encodings.UTF_8 and first.startswith(codecs.BOM_UTF8) else b""
    return part, len(mark) + len(before.encode(own))


def _head(file: File, encoding: str) -> list[str]:
    """The first lines of a text; line ends stay."""
    lines: list[str] = []
    with file.open() as content:
        text = text_of(content, encoding)
        try:
            for line in islice(text, _HEAD_LINES):
                lines.append(line)
                if sum(map(len, lines)) > _HEAD_CHARACTERS:
                    break
        except UnicodeDecodeError as error:
            raise InputError(f"It is not text in {encoding}.") from error
    return lines


def text_of(content: IO[bytes], encoding: str) -> io.TextIOWrapper:
    """A stream of bytes as text; line ends stay as they are."""
    reader = io.BufferedReader(Bounded(content))
    without_mark = encodings.encoding_that_drops_marks(encoding)
    return io.TextIOWrapper(reader, without_mark, errors=encodings.KEEP_DAMAGE, newline="")


def _ranges(whole: Part, start: int, part_bytes: int) -> Iterator[Part]:
    """Ranges of whole records, of `part_bytes` bytes or a little more.

    A line break between quotation marks does not end a record; a cell has an even number of quotation marks.
    """
    kind = whole.kind
    with whole.files[0].open() as content:
        content.seek(start)
        place = start
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
                    yield replace(whole, start=start, stop=place, first=first)
                    start, first = place, record
        if place > start:
            yield replace(whole, start=start, stop=place, first=first)


def _count(block: bytes, record: int, open_quote: bool, kind: InputKind) -> tuple[int, bool]:
    """The number of the next record after a block, and whether a quotation mark is open there."""
    if kind != "csv" or b'"' not in block:
        return record + (0 if open_quote and kind == "csv" else block.count(b"\n")), open_quote
    for place, piece in enumerate(block.split(b'"')):
        open_quote = open_quote ^ (place > 0)
        if not open_quote:
            record += piece.count(b"\n")
    return record, open_quote
