"""A place for files that several processes and hosts share: a folder, or any URL that fsspec knows (s3://, gs://, ...).

A file appears whole or not at all, and of two processes that create the same file, only the first succeeds; `create`
tells the other. That is all the registry needs.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from labels.archives import place_inside, plain_name
from labels.errors import ArchiveError
from training.errors import StorageError

_UNFINISHED = ".unfinished-"
_ABANDONED_SECONDS = 3600
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

    def read(self, path: str) -> bytes:
        """Returns the content of a file; raises `FileNotFoundError`."""

    def write(self, path: str, content: bytes) -> None:
        """Writes a file and replaces an existing file of that path."""

    def create(self, path: str, content: bytes) -> bool:
        """Writes a new file; returns False, and writes nothing, where the file exists."""

    def delete(self, folder: str) -> None:
        """Deletes a folder with everything below it; does nothing where it does not exist."""

    def unfinished(self) -> list[str]:
        """Returns what killed processes left behind; safe to delete while no other process writes."""

    def sweep(self) -> None:
        """Deletes what killed processes left behind at least an hour ago."""


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
        try:
            return os.listdir(self._place(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._failure(error) from error

    def files(self, folder: str) -> set[str]:
        return {str(p.relative_to(self.folder)) for p in self._place(folder).rglob("*") if p.is_file()}

    def read(self, path: str) -> bytes:
        try:
            return self._place(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(path) from None
        except OSError as error:
            raise self._failure(error) from error

    def write(self, path: str, content: bytes) -> None:
        with self._complete_file(content) as file:
            place = self._new_place(path)
            file.replace(place)
            _sync(place.parent)

    def create(self, path: str, content: bytes) -> bool:
        with self._complete_file(content) as file:
            place = self._new_place(path)
            try:
                os.link(file, place)
            except FileExistsError:
                return False
            _sync(place.parent)
            return True

    def delete(self, folder: str) -> None:
        shutil.rmtree(self._place(folder), ignore_errors=True)

    def unfinished(self) -> list[str]:
        return sorted(name for name in self.names("") if name.startswith(_UNFINISHED))

    def sweep(self) -> None:
        for name in self.unfinished():
            path = self.folder / name
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _place(self, path: str) -> Path:
        """Returns where a file or folder stands; raises `StorageError` where that is outside, also by a link."""
        try:
            return self.folder if path in _ITSELF else place_inside(self.folder, path)
        except ArchiveError as error:
            raise StorageError(f"'{path}' does not stand inside the folder {self.folder}.") from error

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

    def read(self, path: str) -> bytes:
        return bytes(self._request(lambda filesystem: filesystem.cat_file(self._path(path))))

    def write(self, path: str, content: bytes) -> None:
        self._request(lambda filesystem: filesystem.pipe_file(self._path(path), content))

    def create(self, path: str, content: bytes) -> bool:
        try:
            self._request(lambda filesystem: filesystem.pipe_file(self._path(path), content, mode="create"))
        except FileExistsError:
            return False
        return True

    def delete(self, folder: str) -> None:
        with suppress(FileNotFoundError):
            self._request(lambda filesystem: filesystem.rm(self._path(folder), recursive=True))

    def unfinished(self) -> list[str]:
        return []

    def sweep(self) -> None:
        return None

    def _path(self, path: str) -> str:
        try:
            name = "" if path in _ITSELF else plain_name(path)
        except ArchiveError as error:
            raise StorageError(f"'{path}' does not stand inside {self.url}.") from error
        return f"{self._open()[1]}/{name}".rstrip("/")

    def _open(self) -> tuple[Any, str]:
        if self._opened is None:
            import fsspec  # noqa: PLC0415 - only needed for models at a URL

            try:
                # A cached listing would hide what other processes write.
                filesystem, root = fsspec.url_to_fs(self.url, use_listings_cache=False, skip_instance_cache=True)
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


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
