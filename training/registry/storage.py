"""A place for files that several processes and hosts share: a folder, or an object store (s3://, gs://, ...).

A file appears whole or not at all, and of two processes that create the same file, only the first succeeds; `create`
tells the other. That is all the registry needs. In a folder, links are not followed and not listed: who can write there
could make others read, overwrite or delete what stands elsewhere.
"""

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from labels.archives import MOST_PARTS, place_inside, plain_name
from labels.errors import ArchiveError
from training.errors import ModelFileError, OutboundError, StorageError
from training.outbound.filesystems import filesystem_at

_UNFINISHED = ".unfinished-"
_ABANDONED_SECONDS = 3600
# Larger than any model; a file beyond this size is not read into memory.
MOST_BYTES = 4 * 2**30
# Names of the place itself.
_ITSELF = ("", ".")
# Codes with which S3 servers reject a create because the object exists.
_EXISTS = ("PreconditionFailed", "ConditionalRequestConflict")

_Result = TypeVar("_Result")


class Storage(Protocol):
    """Files by their path below a place. All methods raise `StorageError` where the place does not answer."""

    def names(self, folder: str) -> list[str]:
        """Returns the names directly in a folder; empty where the folder does not exist."""

    def files(self, folder: str) -> set[str]:
        """Returns the paths of all files below a folder."""

    def read(self, path: str, most: int = MOST_BYTES) -> bytes:
        """Returns the content of a file; raises `FileNotFoundError`, or `ModelFileError` above `most` bytes."""

    def write(self, path: str, content: bytes) -> None:
        """Writes a file and replaces an existing file of that path."""

    def create(self, path: str, content: bytes) -> bool:
        """Writes a new file; returns False, and writes nothing, where the file exists."""

    def delete(self, path: str) -> None:
        """Deletes a file, or a folder with everything below it; does nothing where it does not exist."""

    def unfinished(self) -> list[str]:
        """Returns what killed processes left behind; safe to delete while no other process writes."""

    def sweep(self) -> None:
        """Deletes what killed processes left behind at least an hour ago."""

    def strangers(self) -> list[str]:
        """Returns the paths of links and of whatever else is neither file nor folder: nothing of it is read."""


def storage_at(location: Path | str) -> Storage:
    """Returns the storage of a folder or URL; opens and creates nothing yet."""
    if isinstance(location, str) and "://" in location and not location.startswith("file://"):
        return RemoteStorage(location)
    return LocalStorage(Path(str(location).removeprefix("file://")))


class LocalStorage:
    """A folder, which the first write creates. When a write returns, the file is on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self, folder: str) -> list[str]:
        return [entry.name for entry in self._entries(folder) if not entry.is_symlink()]

    def files(self, folder: str) -> set[str]:
        return {path for path, entry in self._below(folder) if entry.is_file(follow_symlinks=False)}

    def strangers(self) -> list[str]:
        return sorted(path for path, entry in self._below("") if not entry.is_file(follow_symlinks=False))

    def read(self, path: str, most: int = MOST_BYTES) -> bytes:
        try:
            # Without waiting: opening a named pipe would else last until somebody writes to it.
            descriptor = os.open(self._place(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                facts = os.fstat(descriptor)
                if not stat.S_ISREG(facts.st_mode):
                    raise self._no_file(path)
                _require_size(path, facts.st_size, most)
                with open(descriptor, "rb", closefd=False) as file:
                    return file.read()
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(path) from None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._outside(path) from error
            if error.errno == errno.ENXIO:  # a socket
                raise self._no_file(path) from error
            raise self._failure(error) from error

    def write(self, path: str, content: bytes) -> None:
        with self._complete_file(content) as file:
            place = self._new_place(path)
            file.replace(place)
            _sync(place.parent)

    def create(self, path: str, content: bytes) -> bool:
        if (self.folder / path).is_symlink():  # not followed, and it has the name
            return False
        with self._complete_file(content) as file:
            place = self._new_place(path)
            try:
                os.link(file, place)
            except FileExistsError:
                return False
            _sync(place.parent)
            return True

    def delete(self, path: str) -> None:
        _delete(self._place(path))

    def unfinished(self) -> list[str]:
        # Links too: those are deleted, and not what they lead to.
        return sorted(entry.name for entry in self._entries("") if entry.name.startswith(_UNFINISHED))

    def sweep(self) -> None:
        for name in self.unfinished():
            path = self.folder / name
            with suppress(FileNotFoundError):
                if time.time() - path.lstat().st_mtime > _ABANDONED_SECONDS:
                    _delete(path)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._place(folder)) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._failure(error) from error

    def _below(self, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Yields what stands below a folder, with its path: all but the folders themselves, of links the links.

        A folder that stands deeper than any file may is yielded instead of what is in it.
        """
        for entry in self._entries(folder):
            path = entry.name if folder in _ITSELF else f"{folder}/{entry.name}"
            if entry.is_dir(follow_symlinks=False) and path.count("/") < MOST_PARTS - 1:
                yield from self._below(path)
            else:
                yield path, entry

    def _place(self, path: str) -> Path:
        """Returns where a file or folder stands; raises `StorageError` where that is outside, or behind a link."""
        if path in _ITSELF:
            return self.folder
        try:
            place = place_inside(self.folder, path)
        except ArchiveError as error:
            raise self._outside(path) from error
        # The folder itself may be a link: where the models are is the operator's choice.
        if place.resolve() != self.folder.resolve() / plain_name(path):
            raise self._outside(path)
        return place

    def _outside(self, path: str) -> StorageError:
        return StorageError(f"'{path}' does not stand inside the folder {self.folder}: links are not followed there.")

    def _no_file(self, path: str) -> ModelFileError:
        return ModelFileError(f"'{path}' in the folder {self.folder} is not a file.")

    def _new_place(self, path: str) -> Path:
        place = self._place(path)
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
            _sync(place.parent.parent)
        return place

    @contextmanager
    def _complete_file(self, content: bytes) -> Iterator[Path]:
        """Writes the complete file to the disk under a temporary name, to be moved or linked to its place."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self.folder)
            path = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                path.chmod(0o644)
                yield path
            finally:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> StorageError:
        return StorageError(f"The folder {self.folder} cannot be used: {error.strerror or error}.")


class RemoteStorage:
    """A place behind a URL: an object store writes an object whole or not at all, and can refuse to overwrite it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._opened: tuple[Any, str] | None = None

    def names(self, folder: str) -> list[str]:
        root = self._path(folder)
        try:
            paths = self._request(lambda filesystem: filesystem.ls(root, detail=False))
        except FileNotFoundError:
            return []
        return [name for path in paths if (name := path.rstrip("/").rsplit("/", 1)[-1]) and path.rstrip("/") != root]

    def files(self, folder: str) -> set[str]:
        root = self._path("")
        paths = self._request(lambda filesystem: filesystem.find(self._path(folder)))
        return {path.removeprefix(root).lstrip("/") for path in paths}

    def read(self, path: str, most: int = MOST_BYTES) -> bytes:
        place = self._path(path)
        _require_size(path, self._request(lambda filesystem: filesystem.info(place)["size"]) or 0, most)
        return bytes(self._request(lambda filesystem: filesystem.cat_file(place)))

    def write(self, path: str, content: bytes) -> None:
        self._request(lambda filesystem: filesystem.pipe_file(self._path(path), content))

    def create(self, path: str, content: bytes) -> bool:
        try:
            self._request(lambda filesystem: filesystem.pipe_file(self._path(path), content, mode="create"))
        except FileExistsError:
            return False
        return True

    def delete(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._request(lambda filesystem: filesystem.rm(self._path(path), recursive=True))

    def unfinished(self) -> list[str]:
        return []

    def sweep(self) -> None:
        return None

    def strangers(self) -> list[str]:
        return []

    def _path(self, path: str) -> str:
        try:
            name = "" if path in _ITSELF else plain_name(path)
        except ArchiveError as error:
            raise StorageError(f"'{path}' does not stand inside {self.url}.") from error
        return f"{self._open()[1]}/{name}".rstrip("/")

    def _open(self) -> tuple[Any, str]:
        if self._opened is None:
            try:
                # A cached listing would hide what other processes write.
                filesystem, root = filesystem_at(self.url, use_listings_cache=False, skip_instance_cache=True)
            except OutboundError as error:
                raise StorageError(str(error)) from error
            except (ImportError, ValueError) as error:
                raise StorageError(f"{self.url} cannot be used: {error}.") from error
            self._opened = filesystem, root.rstrip("/")
        return self._opened

    def _request(self, request: Callable[[Any], _Result]) -> _Result:
        filesystem, _ = self._open()
        filesystem.invalidate_cache()
        try:
            return request(filesystem)
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as error:
            if _code(error) in _EXISTS:
                raise FileExistsError from error
            raise StorageError(f"{self.url} cannot be used at the moment: {error}") from error


def _code(error: Exception) -> str:
    """Returns the code with which an S3 server rejected a request."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _require_size(path: str, size: int, most: int) -> None:
    if size > most:
        raise ModelFileError(f"The file {path} is larger than {most // 2**20:,} MiB, so it was not read.")


def _delete(path: Path) -> None:
    """Deletes a file, a link or a folder with everything below it, as far as that is possible."""
    with suppress(OSError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path, ignore_errors=True)  # which never follows a link
        else:
            path.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
