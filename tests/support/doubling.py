"""Whether twice the input takes twice the processor time: a step that is quadratic takes four times as long."""

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from labels.errors import ArticleError, FileError

Input = TypeVar("Input")

_MOST = 2.3
# What starting and measuring may take.
_BESIDE = 0.02
_TIMES, _ROUNDS = 2, 4


def assert_time_doubles(function: Callable[[Input], object], once: Input, twice: Input) -> None:
    """Compares the time for an input with that for one of twice its size.

    A busy machine may slow either down, so it is measured again before it counts; a quadratic step fails every time.
    """
    rounds = []
    for _ in range(_ROUNDS):
        short, long = _seconds(function, once), _seconds(function, twice)
        if long <= _MOST * short + _BESIDE:
            return
        rounds.append((round(short, 3), round(long, 3)))
    raise AssertionError(f"{str(once)[:60]!r} takes, and twice as much takes, in seconds: {rounds}")


def _seconds(function: Callable[[Input], object], argument: Input) -> float:
    """The best of some times, without looking for garbage, which takes longer the more a test session holds."""
    best = float("inf")
    gc.collect()
    gc.disable()
    try:
        for _ in range(_TIMES):
            start = time.process_time()
            with suppress(ArticleError, FileError):
                function(argument)
            best = min(best, time.process_time() - start)
    finally:
        gc.enable()
    return best
