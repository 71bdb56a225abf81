"""Times of requests."""

import time
from collections.abc import Callable, Sequence

import httpx2


def milliseconds(request: Callable[[], httpx2.Response]) -> float:
    """Time from sending a request to its answer; raises for an error status."""
    began = time.perf_counter()
    answer = request()
    elapsed = 1000 * (time.perf_counter() - began)
    answer.raise_for_status()
    return elapsed


def percentile(times: Sequence[float], share: float) -> float:
    """The time within which this share (0 to 1) of the requests was answered."""
    return sorted(times)[int(len(times) * share)]
