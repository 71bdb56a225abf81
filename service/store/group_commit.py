"""Group commit: what several threads want to write at the same moment becomes one transaction, synced once.

The first thread to come writes; those that come meanwhile wait, and the first of them writes for all of them (as
databases do it themselves for commits of several connections, where writers need not take turns).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Work:
    item: Any
    result: Any = None
    error: BaseException | None = None
    done: bool = False
    turn: Event = field(default_factory=Event)
    """Set once it is done, or is to lead those that wait."""


class GroupCommit(Generic[Item, Result]):
    """Writes items of many threads in as few transactions as it can; `do` writes some of them and answers in order."""

    def __init__(
        self,
        write: Callable[[], AbstractContextManager[Connection]],
        do: Callable[[Connection, Sequence[Item]], Sequence[Result]],
    ) -> None:
        self._write, self._do = write, do
        self._waiting: list[_Work] = []
        self._led = False
        self._lock = Lock()

    def run(self, item: Item) -> Result:
        """What `do` answers for the item, once it is durable; raises what kept it from being written."""
        mine = _Work(item)
        with self._lock:
            self._waiting.append(mine)
            leads, self._led = not self._led, True
        if not leads:
            # Not for a lock: what is done would wait for it behind the next group.
            mine.turn.wait()
        if not mine.done:
            self._lead()
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[no-any-return]

    def _lead(self) -> None:
        """Writes all that wait, and lets the first of those that came meanwhile lead."""
        with self._lock:
            group, self._waiting = self._waiting, []
        self._write_all(group)
        with self._lock:
            following = self._waiting[:1]
            self._led = bool(following)
        for one in following + group:
            one.turn.set()

    def _write_all(self, group: list[_Work]) -> None:
        try:
            with self._write() as connection:
                results = self._do(connection, [one.item for one in group])
            for one, result in zip(group, results, strict=True):
                one.result = result
        except BaseException as error:  # noqa: BLE001 - each thread raises it
            if len(group) > 1 and _of_one(error):
                for one in group:
                    self._write_all([one])
                return
            for one in group:
                one.error = error
        finally:
            for one in group:
                one.done = True


def _of_one(error: BaseException) -> bool:
    """Whether one item is at fault, and not the database, which would fail for each again."""
    if isinstance(error, SQLAlchemyError):
        return isinstance(error, DataError | IntegrityError)
    return isinstance(error, Exception)
