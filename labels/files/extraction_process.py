"""Processes that read documents and pages, with a deadline and a bound on memory: no file can hold the service.

A file can be made so that its reader takes hours or all memory. A process can be ended; a thread cannot. It is ended at
its deadline, as soon as nobody waits for its result, and when this program ends. One process stays for the next file;
those that were started while it was busy end once they have been idle for a while.

Calls and replies are pickled: both ends of the pipes are this program, and no file reaches them unread.
"""

import atexit
import os
import pickle
import resource
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import IO, Any, ParamSpec, TypeVar

from labels.errors import ArticleError, FileError, FramingError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Of processor time, so that a busy machine refuses nothing that a quiet machine reads; the second is by the clock.
_SECONDS, _SECONDS_BY_THE_CLOCK = 20, 180.0
_MEMORY = 1536 * 2**20
_MOST_PROCESSES = 4
_LENGTH_BYTES = 8
_WRITTEN_AT_ONCE = 2**16
# How often a thread that waits asks whether its result is still wanted.
_ASKS_EVERY_SECONDS = 0.1
# A process that does not stay ends after so long without a call.
_IDLE_SECONDS = 60


def _always_wanted() -> None:
    """Somebody waits for the result until it is there."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What a result may take: seconds of processor time and bytes of memory.

    `require_wanted` is called while it is waited for, and raises once nobody wants it.
    """

    seconds: int = _SECONDS
    memory: int = _MEMORY
    require_wanted: Callable[[], None] = _always_wanted


class _Process:
    """A process of this module's `__main__`, which waits for functions to run; without `idle_seconds` it stays."""

    def __init__(self, idle_seconds: int | None) -> None:
        self.stays = idle_seconds is None
        self.is_interrupted = False
        self._process = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", __name__, *([] if idle_seconds is None else [str(idle_seconds)])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A process that its bound ends prints a traceback; the user reads a sentence in its place.
            stderr=subprocess.DEVNULL,
        )
        os.set_blocking(_of(self._process.stdin).fileno(), False)

    def ask(self, call: bytes, seconds: float, require_wanted: Callable[[], None]) -> bytes | None:
        """Sends a call and returns the reply; None if the process ended, or has not replied in time.

        Raises what `require_wanted` raises.
        """
        deadline = time.monotonic() + seconds
        calls, replies = _of(self._process.stdin).fileno(), _of(self._process.stdout)
        left = memoryview(len(call).to_bytes(_LENGTH_BYTES, "big") + call)
        try:
            while left:
                if not _is_ready(calls, select.POLLOUT, deadline, require_wanted):
                    return None
                left = left[os.write(calls, left[:_WRITTEN_AT_ONCE]) :]
            # The process writes a reply at once, so behind its first byte there is nothing to wait for.
            return _read(replies) if _is_ready(replies.fileno(), select.POLLIN, deadline, require_wanted) else None
        except OSError:
            return None

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def has_retired(self) -> bool:
        """Whether it ended by itself, because it had been idle for long, and not at a bound."""
        try:
            return self._process.wait(timeout=1) == 0
        except subprocess.TimeoutExpired:
            return False

    def interrupt(self) -> None:
        """Ends the process while another thread waits for its reply."""
        self.is_interrupted = True
        self._process.kill()

    def close(self) -> None:
        """Ends the process and closes its pipes, which no thread uses any longer."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not sent cannot be sent any more
                _of(pipe).close()


class Extraction:
    """Runs functions in processes; as many run at once as there are processes, and others wait."""

    def __init__(
        self,
        seconds: int = _SECONDS,
        by_the_clock: float = _SECONDS_BY_THE_CLOCK,
        processes: int = _MOST_PROCESSES,
        idle_seconds: int = _IDLE_SECONDS,
    ) -> None:
        self._usual, self._by_the_clock, self._idle_seconds = Patience(seconds), by_the_clock, idle_seconds
        # In a process that is bounded itself, what it runs may need another one.
        self.runs_here = False
        self._turns = threading.BoundedSemaphore(processes)
        self._idle: list[_Process] = []
        self._busy: list[_Process] = []
        self._lock = threading.Lock()

    def run(self, function: Callable[Arguments, Result], *args: Arguments.args, **options: Arguments.kwargs) -> Result:
        """Returns what a function of a module returns, and raises the `FramingError` that it raises.

        Raises `FileError` if it takes too long or too much memory.
        """
        return self.run_within(self._usual, function, *args, **options)

    def run_within(
        self,
        patience: Patience,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **options: Arguments.kwargs,
    ) -> Result:
        """Like `run`, with another patience; also raises what its `require_wanted` raises."""
        if self.runs_here:
            return function(*args, **options)
        call = pickle.dumps((patience.seconds, patience.memory, function, args, options))
        while not self._turns.acquire(timeout=_ASKS_EVERY_SECONDS):
            patience.require_wanted()
        try:
            reply = self._reply_to(call, patience)
        finally:
            self._turns.release()
        # Nothing but this program's own process writes the reply.
        result, error = pickle.loads(reply)  # noqa: S301
        if error is not None:
            raise _raised(error)
        return result  # type: ignore[no-any-return]

    def close(self) -> None:
        """Ends all processes; what is being read is refused."""
        with self._lock:
            idle, self._idle = self._idle, []
            for process in self._busy:
                process.interrupt()
        for process in idle:
            process.close()

    def _reply_to(self, call: bytes, patience: Patience) -> bytes:
        """The reply of a process; raises `FileError` if there is none."""
        while True:
            process, reply = self._taken(), None
            try:
                reply = process.ask(call, self._by_the_clock, patience.require_wanted)
                if reply is not None:
                    return reply
                if process.is_interrupted:
                    raise FileError("It was not read to its end, because the program ends.")
                if not process.has_retired():
                    raise FileError(
                        f"It cannot be read within {patience.seconds} seconds and {patience.memory // 2**20:,} MiB of "
                        "memory."
                    )
            finally:
                self._give_back(process, is_sound=reply is not None)

    def _taken(self) -> _Process:
        with self._lock:
            ended = [process for process in self._idle if not process.is_alive()]
            self._idle = [process for process in self._idle if process not in ended]
            any_stays = any(process.stays for process in (*self._idle, *self._busy))
            process = self._idle.pop() if self._idle else _Process(self._idle_seconds if any_stays else None)
            self._busy.append(process)
        for other in ended:
            other.close()
        return process

    def _give_back(self, process: _Process, *, is_sound: bool) -> None:
        """Leaves a process that has replied waiting for the next call, and ends any other."""
        with self._lock:
            self._busy.remove(process)
            if is_sound and not process.is_interrupted:
                # The one that stays is taken first, so that the others can become idle.
                self._idle.insert(len(self._idle) if process.stays else 0, process)
                return
        process.close()


EXTRACTION = Extraction()
atexit.register(EXTRACTION.close)


def _raised(error: tuple[str, str, str | None]) -> FramingError:
    kind, detail, name = error
    return ArticleError(detail, name or "html") if kind == "article" else FileError(detail)


def _is_ready(pipe: int, event: int, deadline: float, require_wanted: Callable[[], None]) -> bool:
    """Waits until a pipe can be read or written, or its other end is closed; False at the deadline."""
    poll = select.poll()
    poll.register(pipe, event)
    while not poll.poll(1000 * min(_ASKS_EVERY_SECONDS, max(0.0, deadline - time.monotonic()))):
        require_wanted()
        if time.monotonic() >= deadline:
            return False
    return True


def _of(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("The process has no pipe.")
    return pipe


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
    seconds, memory, function, args, options = pickle.loads(call)  # noqa: S301
    _bound(seconds, memory)
    result: Any = None
    error: tuple[str, str, str | None] | None = None
    try:
        result = function(*args, **options)
    except FramingError as fault:
        kind = "article" if isinstance(fault, ArticleError) else "file"
        error = (kind, str(fault), getattr(fault, "field", None))
    except (MemoryError, RecursionError):
        error = ("file", "It is too deep or too large to be read.", None)
    except Exception as fault:  # noqa: BLE001 - this file fails; ending the process would say that it takes too long
        error = ("file", f"It cannot be read: reading it failed with {type(fault).__name__}.", None)
    return pickle.dumps((result, error))


def _bound(seconds: int, memory: int) -> None:
    """Lets the system refuse more memory, and end this process once it has worked so long from now on."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, resource.RLIM_INFINITY))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = usage.ru_utime + usage.ru_stime
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + seconds + 1, resource.RLIM_INFINITY))


def main(idle_seconds: int | None = None) -> None:
    """Answers calls until the service closes the pipe, or has sent none for so long."""
    # This module is `__main__` here, and a second module for those that import it by its name.
    import_module("labels.files.extraction_process").EXTRACTION.runs_here = True
    calls, replies = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints must not be taken for a reply
    waits = [calls]
    while select.select(waits, [], [], idle_seconds)[0]:
        call = _read(calls)
        if call is None:
            return
        reply = _reply(call)
        replies.write(len(reply).to_bytes(_LENGTH_BYTES, "big") + reply)
        replies.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
