"""Stored vectors of annotated paragraphs, so that retraining encodes a paragraph once.

    vectors/<digest of the encoder>/<first two digits>/<SHA-256 of encoder and text>

A file holds a vector and a digest of it. It is written under another name and then moved, so that a reader sees all of
it or nothing, and a file that a crash has damaged counts as missing. Without the folder, retraining is only slower.
"""

import hashlib
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.encoder.shipped import encoder_of
from training.errors import StorageError

if TYPE_CHECKING:
    from training.encoder.encoder import Encoder

_log = logging.getLogger("framing")

Float = NDArray[np.float32]

_CHECK_BYTES = 16
# Paragraphs that are encoded between two reports of progress.
_BATCH = 16


class VectorStore:
    """Vectors in a folder, which the first write creates; without a folder, nothing is stored."""

    def __init__(self, folder: Path | None = None, encoder: "Encoder | None" = None) -> None:
        self._folder = folder
        # None for the shipped encoder with the digest that is named.
        self._encoder = encoder
        # Logged a single time, because every vector of a training run would fail alike.
        self._failure_is_logged = False

    def means(
        self, digest: str, texts: Sequence[str], progress: Callable[[float], None] = lambda _share: None
    ) -> NDArray[np.float64]:
        """Returns the mean vectors (n, d) of n >= 1 paragraphs by the encoder with a digest, stored or new.

        Raises `ModelFileError` where this installation lacks the encoder.
        """
        stored = {text: self._read(digest, text) for text in dict.fromkeys(texts)}
        missing = [text for text, vector in stored.items() if vector is None]
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            for text, vector in zip(batch, (self._encoder or encoder_of(digest)).means(batch), strict=True):
                self._write(digest, text, vector)
                stored[text] = vector
            progress(min(1.0, (start + _BATCH) / len(missing)))
        return np.array([stored[text] for text in texts], np.float64)

    def forget(self, texts: Iterable[str]) -> None:
        """Overwrites and removes the vectors of paragraphs, by whichever encoder; raises `StorageError`."""
        if self._folder is None or not self._folder.is_dir():
            return
        try:
            digests = [folder.name for folder in self._folder.iterdir()]
            for text in texts:
                for digest in digests:
                    path = self._path(self._folder, digest, text)
                    for file in path.parent.glob(f"{path.name}*"):  # with those that killed writers left behind
                        with suppress(FileNotFoundError):
                            _overwrite(file)
                            file.unlink()
        except OSError as error:
            raise StorageError(
                f"The vector of a paragraph cannot be removed from {self._folder} ({error.strerror}), so nothing was "
                "deleted: make this folder writable, or delete it; its content can be made again."
            ) from error

    def _read(self, digest: str, text: str) -> Float | None:
        """Returns a vector (d,); None where it is not stored or damaged."""
        if self._folder is None:
            return None
        try:
            content = self._path(self._folder, digest, text).read_bytes()
        except OSError:
            return None
        vector, check = content[:-_CHECK_BYTES], content[-_CHECK_BYTES:]
        return np.frombuffer(vector, np.float32) if vector and check == _check(vector) else None

    def _write(self, digest: str, text: str, vector: Float) -> None:
        folder = self._folder
        if folder is None:
            return
        path = self._path(folder, digest, text)
        unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        content = vector.astype(np.float32).tobytes()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                unfinished.write_bytes(content + _check(content))
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
        except OSError as error:  # a store that is full or read-only makes training slower, not impossible
            if not self._failure_is_logged:
                _log.warning("Vectors cannot be stored in %s (%s); training encodes again.", folder, error.strerror)
            self._failure_is_logged = True

    @staticmethod
    def _path(folder: Path, digest: str, text: str) -> Path:
        key = hashlib.sha256(f"{digest}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()
        return folder / digest / key[:2] / key


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())


def _check(vector: bytes) -> bytes:
    return hashlib.blake2b(vector, digest_size=_CHECK_BYTES).digest()
