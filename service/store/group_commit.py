"""Group commit: what several threads want to write at the same moment becomes one transaction, synced once.

The first thread to come writes for all that wait by then; the others find theirs done (as databases do it themselves
for commits of several connections, where writers need not take turns).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
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


class GroupCommit(Generic[Item, Result]):
    """Writes items of many threads in as few transactions as it can; `do` writes some of them and answers in order."""

    def __init__(
        self,
        write: Callable[[], AbstractContextManager[Connection]],
        do: Callable[[Connection, Sequence[Item]], Sequence[Result]],
    ) -> None:
        self._write, self._do = write, do
        self._waiting: list[_Work] = []
        self._listing, self._leading = Lock(), Lock()

    def run(self, item: Item) -> Result:
        """What `do` answers for the item, once it is durable; raises what kept it from being written."""
        mine = _Work(item)
        with self._listing:
            self._waiting.append(mine)
        with self._leading:
            if not mine.done:
                with self._listing:
                    group, self._waiting = self._waiting, []
                self._write_all(group)
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[no-any-return]

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
