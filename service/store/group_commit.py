"""Group commit: what several threads want to write at the same moment becomes one transaction, synced once.

The first thread to come writes for all that wait by then; the others find theirs done (as databases do it themselves
for commits of several connections, where writers need not take turns).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Connection

Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Work:
    do: Callable[[Connection], Any]
    result: Any = None
    error: BaseException | None = None
    done: bool = False


class GroupCommit:
    """Runs pieces of work of many threads, each whole or not at all, in as few transactions as it can."""

    def __init__(self, write: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._write = write
        self._waiting: list[_Work] = []
        self._listing, self._leading = Lock(), Lock()

    def run(self, do: Callable[[Connection], Result]) -> Result:
        """What `do` answers, once it is durable; raises what it raised, or what kept all from being committed."""
        mine = _Work(do)
        with self._listing:
            self._waiting.append(mine)
        with self._leading:
            if not mine.done:
                with self._listing:
                    group, self._waiting = self._waiting, []
                self._do(group)
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[no-any-return]

    def _do(self, group: list[_Work]) -> None:
        try:
            with self._write() as connection:
                for one in group:
                    self._do_one(connection, one, alone=len(group) == 1)
        except BaseException as error:  # noqa: BLE001 - each thread raises it
            for one in group:
                one.error = one.error or error
        finally:
            for one in group:
                one.done = True

    @staticmethod
    def _do_one(connection: Connection, one: _Work, *, alone: bool) -> None:
        if alone:
            one.result = one.do(connection)
            return
        try:
            with connection.begin_nested():
                one.result = one.do(connection)
        except Exception as error:
            if connection.invalidated:  # the database has gone, and what the others wrote with it
                raise
            one.error = error
