"""Archives from outside: whether the members of a zip or tar file may be unpacked, decided here for all of them.

A member is taken only as a plain file whose name stays inside the folder that it is unpacked into: no absolute name, no
`..`, no drive, no link, no name that occurs twice, and neither the number of members nor their size without a bound.
"""

import hashlib
import re
import stat
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import IO

from labels.errors import UNREADABLE_ARCHIVE, ArchiveError

_MIB = 2**20
# A member below this size is no bomb, however well it is packed.
_RATIO_FROM = _MIB
# What every common file system takes.
_MAX_NAME_BYTES = 255
# How many parts a name may have: no folder of articles is deeper. A name of 64 KiB with 32,000 folders would take a
# gigabyte to compare with others, and going through such folders the third power of their depth.
MOST_PARTS = 32
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_LINK_OR_DEVICE = "is a link or a device, not a file"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may hold: members, bytes of all members unpacked, and unpacked bytes for each packed byte.

    Text is packed five to ten times smaller, and a table of zeros a thousand times.
    """

    members: int = 100_000
    size: int = 200 * _MIB
    ratio: int = 200

    def most_of(self, packed: int) -> int:
        """The most bytes that so many packed bytes may be when unpacked."""
        return max(_RATIO_FROM, packed * self.ratio)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive whose name and size are safe; `name` is relative and uses `/`."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]

    def read(self) -> bytes:
        """Returns the content; raises `ArchiveError` where it is damaged, encrypted or longer than the archive says."""
        try:
            with self.open() as file:
                content = file.read(self.size + 1)
        except UNREADABLE_ARCHIVE as error:
            raise ArchiveError(f"The archive's file '{self.name}' is damaged or encrypted.") from error
        if len(content) != self.size:
            raise ArchiveError(f"The archive's file '{self.name}' is not as long as the archive says.")
        return content

    def sha256(self) -> str:
        """Returns the SHA-256 of the content in hexadecimal, of which only a piece at a time is in memory."""
        with self.open() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member as the archive describes it; `packed` is None where its packed size is not known."""

    name: str
    size: int
    packed: int | None
    kind: str
    open: Callable[[], IO[bytes]]


def safe_members(
    archive: zipfile.ZipFile | tarfile.TarFile, root: Path | None = None, limits: Limits | None = None
) -> Sequence[Member]:
    """Returns the files of an archive once all of them have proved safe; folders are checked and left out.

    `root` is the folder that they will be written into; without it nothing is written, and only the names are judged.
    Raises `ArchiveError` for the first member that is not safe: such an archive is not taken in part.
    """
    limits = limits or Limits()
    entries = _zip_entries(archive) if isinstance(archive, zipfile.ZipFile) else _tar_entries(archive)
    members: dict[str, Member] = {}
    folders: set[str] = set()
    try:
        for entry in _within(entries, limits):
            if entry.kind == "folder" and entry.name in (".", "./"):  # how tar names the folder that it was made of
                continue
            name = plain_name(entry.name)
            if root is not None:
                place_inside(root, name)
            if entry.kind == "folder":
                continue
            _require_file(entry, limits)
            members[_required_new(name, members, folders)] = Member(name, entry.size, entry.open)
    except UNREADABLE_ARCHIVE as error:
        raise ArchiveError("The archive is damaged, or it is neither zip nor tar.") from error
    return tuple(members.values())


def plain_name(name: str) -> str:
    """Returns the name of a member with `/` between its parts; raises `ArchiveError` unless it is relative and plain.

    Old Windows programs write `\\`, tar begins with `./`, and a folder's name ends with `/`.
    """
    relative = name.replace("\\", "/").removesuffix("/").removeprefix("./")
    if relative.startswith("/") or PureWindowsPath(relative).drive:
        raise ArchiveError(f"The archive's member '{_shown(name)}' has an absolute name.")
    parts = relative.split("/")
    if len(parts) > MOST_PARTS:
        raise ArchiveError(f"The archive's member '{_shown(name)}' stands more than {MOST_PARTS - 1} folders deep.")
    if any(part in ("", ".", "..") for part in parts):
        raise ArchiveError(f"The archive's member '{_shown(name)}' has a name that is not plain, such as 'a/../b'.")
    if _CONTROL.search(relative) or not _is_unicode(relative):
        raise ArchiveError(f"The archive's member '{_shown(name)}' has a name that is not plain text.")
    if any(len(part.encode()) > _MAX_NAME_BYTES for part in parts):
        raise ArchiveError(f"The archive's member '{_shown(name)}' has a name that is too long for a file.")
    return relative


def place_inside(root: Path, name: str) -> Path:
    """Returns the place of the file `name` below `root`; raises `ArchiveError` where a link leads it outside."""
    place = root / plain_name(name)
    try:
        inside = place.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError) as error:  # links in a circle, for example
        raise ArchiveError(f"'{_shown(name)}' cannot be the name of a file.") from error
    if not inside:
        raise ArchiveError(f"'{_shown(name)}' would stand outside the folder {root}.")
    return place


def _within(entries: Iterable[_Entry], limits: Limits) -> Iterator[_Entry]:
    """Yields the entries while their number and the sum of their sizes are within the limits."""
    total = 0
    for number, entry in enumerate(entries, 1):
        total += max(entry.size, 0)
        if number > limits.members:
            raise ArchiveError(f"The archive has more than {limits.members} members.")
        if total > limits.size:
            raise ArchiveError(f"The archive is larger than {max(limits.size // _MIB, 1)} MiB when unpacked.")
        yield entry


def _require_file(entry: _Entry, limits: Limits) -> None:
    if entry.size < 0:
        raise ArchiveError(f"The archive's member '{_shown(entry.name)}' has a size below zero.")
    if entry.kind != "file":
        raise ArchiveError(f"The archive's member '{_shown(entry.name)}' {entry.kind}.")
    if entry.packed is not None and entry.size > limits.most_of(entry.packed):
        raise ArchiveError(
            f"The archive's member '{_shown(entry.name)}' is packed more than {limits.ratio} times smaller than it is, "
            "which no text is."
        )


def _required_new(name: str, members: Iterable[str], folders: set[str]) -> str:
    """Returns the name as the disks that ignore case and accents' spelling compare it; raises where it exists.

    A file must not have the name of a folder either, or either of the two would be lost.
    """
    key = unicodedata.normalize("NFC", name).casefold()
    parts = key.split("/")
    above = {"/".join(parts[:end]) for end in range(1, len(parts))}
    if key in members or key in folders or any(folder in members for folder in above):
        raise ArchiveError(f"The archive has the name '{_shown(name)}' twice.")
    folders |= above
    return key


def _zip_entries(archive: zipfile.ZipFile) -> Iterator[_Entry]:
    for member in archive.infolist():
        mode = member.external_attr >> 16
        kind = "folder" if member.filename.endswith(("/", "\\")) else "file"
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            kind = _LINK_OR_DEVICE
        elif member.flag_bits & 1:
            kind = "is encrypted"
        # Python cuts a name at a NUL, behind which another name may hide.
        name = member.orig_filename if "\0" in member.orig_filename else member.filename
        yield _Entry(name, member.file_size, member.compress_size, kind, partial(archive.open, member))


def _tar_entries(archive: tarfile.TarFile) -> Iterator[_Entry]:
    """Yields the members of a tar file; each size is known before its content is read, so a bomb is never unpacked."""
    for member in archive:
        kind = "file" if member.isreg() and not member.issparse() else "folder" if member.isdir() else _LINK_OR_DEVICE
        yield _Entry(member.name, member.size, None, kind, partial(_open_tar, archive, member))


def _open_tar(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(member)
    if file is None:
        raise KeyError(member.name)
    return file


def _is_unicode(name: str) -> bool:
    """Whether a name can be written as UTF-8: tar reads bytes of other encodings as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(name: str) -> str:
    """Returns a name as it can stand in a message, without control characters and at most 100 characters long."""
    shown = name if len(name) <= 100 else name[:99] + "…"
    return _CONTROL.sub("\ufffd", shown.encode("utf-8", "backslashreplace").decode())
