"""Threads that work side by side until they are stopped."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Self


class Crew(ABC):
    """Threads that work inside a `with` block; at its end they stop, and an error in any of them is raised."""

    def __init__(self, size: int) -> None:
        self.stop = Event()
        self._size = size
        self._pool = ThreadPoolExecutor(size)

    def __enter__(self) -> Self:
        self._results = [self._pool.submit(self.work, number) for number in range(self._size)]
        return self

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        self._pool.shutdown()
        if error == (None, None, None):
            for result in self._results:
                result.result()

    @abstractmethod
    def work(self, number: int) -> None:
        """Does the work of thread `number` until `stop` is set."""
