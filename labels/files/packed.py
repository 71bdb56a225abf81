"""Packed files: gzip and zip, each member checked by `labels.archives`, and none unpacked without a bound."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Sequence
from typing import IO, Any, cast

from labels.archives import Limits, safe_members
from labels.errors import UNREADABLE_ARCHIVE, FileError

# An upload is an article, perhaps beside what the program that packed it adds.
_MOST_FILES = 1000
ZIP_START, GZIP_START = b"PK\x03\x04", b"\x1f\x8b"


class Bounded(io.RawIOBase):
    """A stream that raises `FileError` once it has given more than `limit` bytes; it leaves its source open."""

    def __init__(self, source: IO[bytes], limit: int | None = None) -> None:
        self._source, self._left = source, limit

    @classmethod
    def opened(cls, unpacked: IO[bytes], packed_size: int) -> io.BufferedReader:
        """What is unpacked from a file of that size."""
        return io.BufferedReader(cls(unpacked, Limits().most_of(packed_size)))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._source.read(len(buffer))
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0:
                raise FileError(f"It is packed more than {Limits().ratio} times smaller than it is, which no text is.")
        buffer[: len(chunk)] = chunk
        return len(chunk)


def unpacked(name: str, content: bytes, limit: int) -> Sequence[tuple[str, bytes]]:
    """The files in a zip or gzip file, at most 1,000 and of `limit` bytes together; any other file as it is.

    A Word document, which is a zip file too, stays as it is. What macOS adds in `__MACOSX` is left out. Raises
    `FileError` or `ArchiveError`.
    """
    if name.lower().endswith(".gz") or content.startswith(GZIP_START):
        return [(name[: -len(".gz")] if name.lower().endswith(".gz") else name, _gunzipped(content, limit))]
    if not content.startswith(ZIP_START) or not name.lower().endswith(".zip"):
        return [(name, content)]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = safe_members(archive, limits=Limits(members=_MOST_FILES, size=limit))
            return [
                (m.name, m.read())
                for m in members
                if not m.name.split("/")[-1].startswith(".") and "__MACOSX" not in m.name
            ]
    except UNREADABLE_ARCHIVE as error:
        raise FileError("It is not a zip file that can be read.") from error


def _gunzipped(content: bytes, limit: int) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            whole = Bounded.opened(cast(IO[bytes], file), len(content)).read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError("It is not a gzip file that can be read to its end.") from error
    if len(whole) > limit:
        raise FileError(f"It is larger than {limit // 2**20} MiB when unpacked.")
    return whole
