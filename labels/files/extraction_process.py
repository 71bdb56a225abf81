"""A process that reads documents, with a deadline and a bound on its memory, so that no file can hold the service.

A file can be made so that its reader takes hours or all memory. A process can be killed; a thread cannot. Processes
that have finished are used again, and a single process is left waiting.
"""

import atexit
import pickle
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, ParamSpec, TypeVar

from labels.errors import ArticleError, FileError, FramingError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Of processor time, so that a busy machine refuses nothing that a quiet machine reads; the second is by the clock.
_SECONDS, _SECONDS_BY_THE_CLOCK = 20, 180.0
_MEMORY = 1536 * 2**20
_MOST_PROCESSES = 4
_LENGTH_BYTES = 8


class _Process:
    """A process of this module's `__main__`, which waits for functions to run."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A process that its bound ends prints a traceback; the user reads a sentence in its place.
            stderr=subprocess.DEVNULL,
        )

    def ask(self, call: bytes, seconds: float) -> bytes | None:
        """Sends a call and returns the reply; None if the process ended, or was ended at the deadline, before it."""
        deadline = threading.Timer(seconds, self._process.kill)
        deadline.start()
        try:
            _write(_of(self._process.stdin), call)
            return _read(_of(self._process.stdout))
        except OSError:
            return None
        finally:
            deadline.cancel()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not sent cannot be sent any more
                _of(pipe).close()


class Extraction:
    """Runs functions in processes; as many run at once as there are processes, and others wait."""

    def __init__(
        self, seconds: int = _SECONDS, by_the_clock: float = _SECONDS_BY_THE_CLOCK, processes: int = _MOST_PROCESSES
    ) -> None:
        self._seconds, self._by_the_clock = seconds, by_the_clock
        self._turns = threading.BoundedSemaphore(processes)
        self._idle: list[_Process] = []
        self._lock = threading.Lock()

    def run(self, function: Callable[Arguments, Result], *args: Arguments.args, **options: Arguments.kwargs) -> Result:
        """Returns what a function of a module returns, and raises the `FramingError` that it raises.

        Raises `FileError` if it takes too long or too much memory.
        """
        call = pickle.dumps((self._seconds, function, args, options))
        with self._turns:
            process = self._taken()
            reply = process.ask(call, self._by_the_clock)
            if reply is None:
                process.end()
            else:
                self._put_back(process)
        if reply is None:
            raise FileError(f"It cannot be read within {self._seconds} seconds and {_MEMORY // 2**20:,} MiB of memory.")
        # Nothing but this program's own process writes the reply.
        result, error = pickle.loads(reply)  # noqa: S301
        if error is not None:
            raise _raised(error)
        return result  # type: ignore[no-any-return]

    def close(self) -> None:
        """Ends the processes that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def _taken(self) -> _Process:
        with self._lock:
            process = self._idle.pop() if self._idle else None
        if process is not None and process.is_alive():
            return process
        if process is not None:
            process.end()
        return _Process()

    def _put_back(self, process: _Process) -> None:
        """Leaves a single process waiting; the others end."""
        with self._lock:
            if not self._idle:
                self._idle.append(process)
                return
        process.end()


EXTRACTION = Extraction()
atexit.register(EXTRACTION.close)


def _raised(error: tuple[str, str, str | None]) -> FramingError:
    kind, detail, name = error
    return ArticleError(detail, name or "html") if kind == "article" else FileError(detail)


def _of(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("The process has no pipe.")
    return pipe


def _write(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(len(content).to_bytes(_LENGTH_BYTES, "big") + content)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    """A message; None at the end of the stream."""
    head = pipe.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "big")
    content = pipe.read(length)
    return content if len(content) == length else None


def _reply(call: bytes) -> bytes:
    # The service's own process sends the call.
    seconds, function, args, options = pickle.loads(call)  # noqa: S301
    _bound_time(seconds)
    result: Any = None
    error: tuple[str, str, str | None] | None = None
    try:
        result = function(*args, **options)
    except FramingError as fault:
        kind = "article" if isinstance(fault, ArticleError) else "file"
        error = (kind, str(fault), getattr(fault, "field", None))
    except (MemoryError, RecursionError):
        error = ("file", "It is too deep or too large to be read.", None)
    return pickle.dumps((result, error))


def _bound_time(seconds: int) -> None:
    """Lets the system end this process once it has worked so long from now on."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = usage.ru_utime + usage.ru_stime
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + seconds + 1, resource.RLIM_INFINITY))


def main() -> None:
    """Answers calls until the service closes the pipe."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    replies, sys.stdout = sys.stdout.buffer, sys.stderr  # what a library prints must not be taken for a reply
    while (call := _read(sys.stdin.buffer)) is not None:
        _write(replies, _reply(call))


if __name__ == "__main__":
    main()
