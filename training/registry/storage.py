"""A place for files that several processes and hosts share: a folder, or any URL that fsspec knows (s3://, gs://, ...).

A file appears whole or not at all, and of two that create the same one, one is told that it lost. The registry needs no
more than that.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from training.errors import StorageError

_UNFINISHED = ".unfinished-"
_ABANDONED_SECONDS = 3600
_LOST = ("PreconditionFailed", "ConditionalRequestConflict")

_Result = TypeVar("_Result")


class Storage(Protocol):
    """Files by their path below one place. All raise `StorageError` where the place does not answer."""

    def names(self, folder: str) -> list[str]:
        """What is directly in a folder; empty where there is none."""

    def files(self, folder: str) -> set[str]:
        """Paths of all files below a folder."""

    def read(self, path: str) -> bytes:
        """The content of a file; raises `FileNotFoundError`."""

    def write(self, path: str, content: bytes) -> None:
        """Puts a file in place, over one that may be there."""

    def create(self, path: str, content: bytes) -> bool:
        """Puts a new file in place; False where there is one already."""

    def delete(self, folder: str) -> None:
        """Deletes a folder and all below it; quiet where there is none."""

    def unfinished(self) -> list[str]:
        """What killed processes left behind; safe to delete when no other process writes."""

    def sweep(self) -> None:
        """Deletes what killed processes left behind an hour ago or longer."""


def storage_at(location: Path | str) -> Storage:
    """The storage of a folder or URL; nothing is opened or made yet."""
    if isinstance(location, str) and "://" in location and not location.startswith("file://"):
        return RemoteStorage(location)
    return LocalStorage(Path(str(location).removeprefix("file://")))


class LocalStorage:
    """A folder, which is made when first written to. What was answered for is on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self, folder: str) -> list[str]:
        try:
            return os.listdir(self.folder / folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._failure(error) from error

    def files(self, folder: str) -> set[str]:
        return {str(p.relative_to(self.folder)) for p in (self.folder / folder).rglob("*") if p.is_file()}

    def read(self, path: str) -> bytes:
        try:
            return (self.folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(path) from None
        except OSError as error:
            raise self._failure(error) from error

    def write(self, path: str, content: bytes) -> None:
        with self._finished(content) as finished:
            place = self._place(path)
            finished.replace(place)
            _sync(place.parent)

    def create(self, path: str, content: bytes) -> bool:
        with self._finished(content) as finished:
            place = self._place(path)
            try:
                os.link(finished, place)
            except FileExistsError:
                return False
            _sync(place.parent)
            return True

    def delete(self, folder: str) -> None:
        shutil.rmtree(self.folder / folder, ignore_errors=True)

    def unfinished(self) -> list[str]:
        return sorted(name for name in self.names("") if name.startswith(_UNFINISHED))

    def sweep(self) -> None:
        for name in self.unfinished():
            path = self.folder / name
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _place(self, path: str) -> Path:
        place = self.folder / path
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
            _sync(place.parent.parent)
        return place

    @contextmanager
    def _finished(self, content: bytes) -> Iterator[Path]:
        """A whole file, on the disk, under another name."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self.folder)
            finished = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                finished.chmod(0o644)
                yield finished
            finally:
                finished.unlink(missing_ok=True)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> StorageError:
        return StorageError(f"The folder {self.folder} cannot be used: {error.strerror or error}.")


class RemoteStorage:
    """A place behind a URL. Object stores put an object whole or not at all, and know a put that must be the first."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._opened: tuple[Any, str] | None = None

    def names(self, folder: str) -> list[str]:
        root = self._path(folder)
        try:
            found = self._asked(lambda fs: fs.ls(root, detail=False))
        except FileNotFoundError:
            return []
        return [name for path in found if (name := path.rstrip("/").rsplit("/", 1)[-1]) and path.rstrip("/") != root]

    def files(self, folder: str) -> set[str]:
        root = self._path("")
        return {path.removeprefix(root).lstrip("/") for path in self._asked(lambda fs: fs.find(self._path(folder)))}

    def read(self, path: str) -> bytes:
        return bytes(self._asked(lambda fs: fs.cat_file(self._path(path))))

    def write(self, path: str, content: bytes) -> None:
        self._asked(lambda fs: fs.pipe_file(self._path(path), content))

    def create(self, path: str, content: bytes) -> bool:
        try:
            self._asked(lambda fs: fs.pipe_file(self._path(path), content, mode="create"))
        except FileExistsError:
            return False
        return True

    def delete(self, folder: str) -> None:
        with suppress(FileNotFoundError):
            self._asked(lambda fs: fs.rm(self._path(folder), recursive=True))

    def unfinished(self) -> list[str]:
        return []

    def sweep(self) -> None:
        return None

    def _path(self, path: str) -> str:
        return f"{self._open()[1]}/{path}".rstrip("/")

    def _open(self) -> tuple[Any, str]:
        if self._opened is None:
            import fsspec  # noqa: PLC0415 - only those who keep files elsewhere need it

            try:
                # A listing that is remembered would hide what others write.
                filesystem, root = fsspec.url_to_fs(self.url, use_listings_cache=False, skip_instance_cache=True)
            except (ImportError, ValueError) as error:
                raise StorageError(f"{self.url} cannot be used: {error}.") from error
            self._opened = filesystem, root.rstrip("/")
        return self._opened

    def _asked(self, ask: Callable[[Any], _Result]) -> _Result:
        filesystem, _ = self._open()
        filesystem.invalidate_cache()
        try:
            return ask(filesystem)
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as error:
            if _code(error) in _LOST:
                raise FileExistsError from error
            raise StorageError(f"{self.url} cannot be used at the moment: {error}") from error


def _code(error: Exception) -> str:
    """The code with which an S3 server refused."""
    answer = getattr(error.__cause__, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", ""))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
