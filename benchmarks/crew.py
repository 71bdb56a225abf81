"""Threads that work side by side until they are told to stop."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Self


class Crew(ABC):
    """So many that work between `with` and its end, which raises what went wrong with one of them."""

    def __init__(self, size: int) -> None:
        self.stop = Event()
        self._size = size
        self._pool = ThreadPoolExecutor(size)

    def __enter__(self) -> Self:
        self._at_work = [self._pool.submit(self.work, number) for number in range(self._size)]
        return self

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        self._pool.shutdown()
        if error == (None, None, None):
            for one in self._at_work:
                one.result()

    @abstractmethod
    def work(self, number: int) -> None:
        """What number `number` of them does until `stop` is set."""
