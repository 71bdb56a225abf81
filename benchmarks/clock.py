"""Adds up the time of named steps."""

import statistics
import time
from collections.abc import Callable
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class Clock:
    """Microseconds that each step took, every time that it was done."""

    def __init__(self) -> None:
        self._times: dict[str, list[float]] = {}

    def time(self, step: str, do: Callable[..., _Result], *args: Any, **kwargs: Any) -> _Result:
        """Does the step and answers with what it returned."""
        began = time.perf_counter()
        result = do(*args, **kwargs)
        self._times.setdefault(step, []).append((time.perf_counter() - began) * 1e6)
        return result

    def forget(self) -> None:
        """Begins anew, once all is warm."""
        self._times.clear()

    def medians(self) -> dict[str, float]:
        """The median of each step."""
        return {step: statistics.median(times) for step, times in self._times.items()}
