"""The process in which a user's own pipeline is unpickled and scores: the only place where this program opens a pickle.

A pickle can run any code, so whoever asks for this process has checked two conditions before (see
`training.registry.signatures.Trust`): the operator allows pickles, and the version is signed with the operator's key.
The process is no sandbox: it may do whatever the user may whose process it is. But the keys of the service are not in
its environment or memory, and the service takes nothing from it but numbers and a sentence.
"""

import json
import os
import subprocess
import sys
import threading
import warnings
import weakref
from contextlib import suppress
from io import BytesIO
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from training.encoder.stopping import while_wanted
from training.errors import ModelFileError

_LENGTH_BYTES = 8
_SCORES, _FAULT = b"s", b"f"
# Texts that are sent at a time; between two batches a request whose client left is noticed.
_BATCH = 64
_LONGEST_SENTENCE = 500
# Variables of the environment that are not passed on: the settings of this program, keys among them.
_SETTINGS = "FRAMING_"


class PipelineProcess:
    """A pickled pipeline with c columns. The process starts with the first score and ends with this object."""

    def __init__(self, content: bytes, columns: int, version: str, seconds: float = 120) -> None:
        self._content, self._columns, self._version, self._seconds = content, columns, version, seconds
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Leaves the process behind when the model is sent to another process."""
        return PipelineProcess, (self._content, self._columns, self._version, self._seconds)

    def predict_proba(self, texts: list[str]) -> NDArray[np.float64]:
        """Returns the scores (n, c) of normal texts; raises `ModelFileError` where the pipeline gives none."""
        starts = while_wanted(range(0, len(texts), _BATCH))
        parts = [self._scores(texts[start : start + _BATCH]) for start in starts]
        return np.concatenate([np.zeros((0, self._columns)), *parts])

    def _scores(self, texts: list[str]) -> NDArray[np.float64]:
        reply = self._ask(json.dumps(texts).encode())
        if reply[:1] != _SCORES:
            raise ModelFileError(f"Model '{self._version}' cannot score: {reply[1:].decode(errors='replace')}")
        scores = np.frombuffer(reply[1:], np.float64)
        if len(scores) != len(texts) * self._columns or not ((scores >= 0) & (scores <= 1)).all():
            raise ModelFileError(
                f"Model '{self._version}' does not return a score from 0 to 1 for each of its {self._columns} columns."
            )
        return scores.reshape(len(texts), self._columns)

    def _ask(self, message: bytes) -> bytes:
        with self._turn:
            process = self._started()
            deadline = threading.Timer(self._seconds, process.kill)
            deadline.start()
            try:
                _write(process.stdin, message)
                reply = _read(process.stdout)
            except OSError:
                reply = b""
            finally:
                deadline.cancel()
            if not reply:
                _end(process)
                self._process = None
        if not reply:
            raise ModelFileError(
                f"The process that scores with the pickle of model '{self._version}' ended, or took longer than "
                f"{self._seconds:g} seconds."
            )
        return reply

    def _started(self) -> subprocess.Popen[bytes]:
        """Returns the process, started anew where it has ended; the pickle is the first message that it gets."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(  # noqa: S603 - this program itself
                # With -P, so that the process imports nothing from the current folder.
                [sys.executable, "-P", "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={name: value for name, value in os.environ.items() if not name.upper().startswith(_SETTINGS)},
            )
            weakref.finalize(self, _end, self._process)
            with suppress(OSError):  # a process that ended at once is noticed when it does not answer
                _write(self._process.stdin, self._content)
        return self._process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):  # what was not sent cannot be sent any more
            if pipe is not None:
                pipe.close()


def _write(pipe: IO[bytes] | None, content: bytes) -> None:
    if pipe is None:
        raise OSError("The process has no pipe.")
    pipe.write(len(content).to_bytes(_LENGTH_BYTES, "big") + content)
    pipe.flush()


def _read(pipe: IO[bytes] | None) -> bytes:
    """Returns a message; nothing at the end of the stream."""
    head = b"" if pipe is None else pipe.read(_LENGTH_BYTES)
    if pipe is None or len(head) < _LENGTH_BYTES:
        return b""
    length = int.from_bytes(head, "big")
    content = pipe.read(length)
    return content if len(content) == length else b""


def _unpickled(content: bytes) -> Any:
    """Unpickles the pipeline, in this process alone; raises whatever its code raises."""
    import joblib  # noqa: PLC0415 - the service that imports this module never unpickles
    from sklearn.exceptions import InconsistentVersionWarning  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        pipeline = joblib.load(BytesIO(content))
    _ = pipeline.predict_proba
    return pipeline


def main() -> None:
    """Unpickles the first message and scores the others, until the service closes the pipe."""
    replies, sys.stdout = sys.stdout.buffer, sys.stderr  # what a library prints must not be taken for a reply
    content, pipeline, fault = _read(sys.stdin.buffer), None, ""
    try:
        pipeline = _unpickled(content)
    except Exception as error:  # noqa: BLE001 - unpickling a file of another kind may raise anything
        fault = f"its file is not a readable pipeline ({type(error).__name__}: {error})."
    while message := _read(sys.stdin.buffer):
        reply = _FAULT + fault[:_LONGEST_SENTENCE].encode()
        if pipeline is not None:
            try:
                scores = np.ascontiguousarray(pipeline.predict_proba(json.loads(message)), dtype=np.float64)
                reply = _SCORES + scores.tobytes()
            except Exception as error:  # noqa: BLE001 - a user's pipeline may raise anything
                reply = _FAULT + f"{type(error).__name__}: {error}"[:_LONGEST_SENTENCE].encode()
        _write(replies, reply)


if __name__ == "__main__":
    main()
