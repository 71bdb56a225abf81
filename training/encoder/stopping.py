"""Stopping an encoder whose result nobody waits for any longer: the client has left, or the time is up."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

from training.errors import ScoringStoppedError, ScoringTooSlowError

_Thing = TypeVar("_Thing")


class StopSignal:
    """Tells the threads that score for a request when to stop; an encoder asks before each window of a paragraph."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stopped = threading.Event()
        self._deadline = 0.0
        self.begin()

    def begin(self) -> None:
        """Gives the next article the whole time."""
        self._deadline = time.monotonic() + self._seconds

    def stop(self) -> None:
        """Says that nobody waits for the result any longer."""
        self._stopped.set()

    def check(self) -> None:
        """Raises `ScoringStoppedError` once nobody waits, `ScoringTooSlowError` once the time is up."""
        if self._stopped.is_set():
            raise ScoringStoppedError
        if time.monotonic() > self._deadline:
            raise ScoringTooSlowError(self._seconds)


# The signal of the request that the present thread or task works for; jobs have none and are never stopped.
current_signal: ContextVar[StopSignal | None] = ContextVar("current_signal", default=None)


def while_wanted(things: Iterable[_Thing]) -> Iterator[_Thing]:
    """Yields things; raises `ScoringStoppedError` before the next thing once nobody waits for them."""
    signal = current_signal.get()
    for thing in things:
        if signal is not None:
            signal.check()
        yield thing


def begin_article() -> None:
    """Gives the next article of a request with several the whole time."""
    signal = current_signal.get()
    if signal is not None:
        signal.begin()
