"""Windows of paragraphs side by side on all cores, in turn for all who ask."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from training.encoder.stopping import while_wanted

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class SideBySide(Generic[_In, _Out]):
    """Applies a function on a thread per core. May be used by several threads, of which none waits for all of another.

    A caller has only slightly more calls in progress or in the queue than there are cores, so an article of two
    paragraphs takes its turns between those of a huge article.
    """

    def __init__(self, do: Callable[[_In], _Out], cores: int) -> None:
        self._do = do
        # Enough to keep every core busy while the caller takes a result.
        self._ahead = cores + 1
        self._threads = ThreadPoolExecutor(cores, "encoder")

    def map(self, things: Iterable[_In]) -> Iterator[_Out]:
        """Yields the results in the order of `things`; raises `ScoringStoppedError` when nobody waits for them."""
        pending: deque[Future[_Out]] = deque()
        try:
            for thing in while_wanted(things):
                pending.append(self._threads.submit(self._do, thing))
                if len(pending) >= self._ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
