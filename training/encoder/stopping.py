"""Stopping work whose result nobody waits for any longer: the client has left, or the time is up."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

from training.errors import ScoringStoppedError, ScoringTooSlowError

_Thing = TypeVar("_Thing")


class StopSignal:
    """Tells the threads that work for a request when to stop.

    An encoder asks before each window of a paragraph, whoever waits for another process several times a second. The
    first to ask calls `watch`, so that no request is watched that is answered before.
    """

    def __init__(self, seconds: float, watch: Callable[[], object] | None = None) -> None:
        self._seconds = seconds
        self._watch = watch
        self._stopped = threading.Event()
        self._deadline = 0.0
        self.begin()

    def begin(self) -> None:
        """Gives the next article the whole time."""
        self._deadline = time.monotonic() + self._seconds

    def stop(self) -> None:
        """Says that nobody waits for the result any longer."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether nobody waits for the result any longer."""
        return self._stopped.is_set()

    def check(self) -> None:
        """Raises `ScoringStoppedError` once nobody waits, `ScoringTooSlowError` once the time is up."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch()
        if self._stopped.is_set():
            raise ScoringStoppedError
        if time.monotonic() > self._deadline:
            raise ScoringTooSlowError(self._seconds)


# The signal of the request that the present thread or task works for; jobs have none and are never stopped.
current_signal: ContextVar[StopSignal | None] = ContextVar("current_signal", default=None)


def require_wanted() -> None:
    """Raises the errors of `StopSignal.check` where the present request has a signal."""
    signal = current_signal.get()
    if signal is not None:
        signal.check()


def while_wanted(things: Iterable[_Thing]) -> Iterator[_Thing]:
    """Yields things; raises `ScoringStoppedError` before the next thing once nobody waits for them."""
    for thing in things:
        require_wanted()
        yield thing


def begin_article() -> None:
    """Gives the next article of a request with several the whole time."""
    signal = current_signal.get()
    if signal is not None:
        signal.begin()
