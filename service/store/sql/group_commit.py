"""Group commit: what several threads want to write at the same moment becomes one transaction, synced once.

The first thread that waits writes for all that have put something by then; of those that put something meanwhile, the
first that waits writes next (as databases do it themselves for commits of several connections, where writers need not
take turns). A thread may do something else between putting and waiting, while others write for it.
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
class Ticket:
    """What one thread has put, and what became of it."""

    item: Any
    result: Any = None
    error: BaseException | None = None
    done: bool = False
    awaited: bool = False
    turn: Event = field(default_factory=Event)
    """Set once it is done, or its thread, which waits for it, is to write for all."""


class GroupCommit(Generic[Item, Result]):
    """Writes items of many threads in as few transactions as it can; `do` writes some of them and answers in order."""

    def __init__(
        self,
        write: Callable[[], AbstractContextManager[Connection]],
        do: Callable[[Connection, Sequence[Item]], Sequence[Result]],
    ) -> None:
        self._write, self._do = write, do
        self._waiting: list[Ticket] = []
        self._led = False
        self._lock = Lock()

    def run(self, item: Item) -> Result:
        """What `do` answers for the item, once it is durable; raises what kept it from being written."""
        return self.result(self.put(item))

    def put(self, item: Item) -> Ticket:
        """Lets others write the item; whoever puts one has to ask for its result."""
        ticket = Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
        return ticket

    def result(self, mine: Ticket) -> Result:
        """As `run`, of what was put before."""
        with self._lock:
            mine.awaited = True
            leads = not mine.done and not self._led
            self._led = self._led or leads
        if not leads:
            # Not for a lock: what is done would wait for it behind the next group.
            mine.turn.wait()
        if not mine.done:
            self._lead()
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[no-any-return]

    def _lead(self) -> None:
        """Writes all that was put, and lets the first that waits for what came meanwhile lead."""
        with self._lock:
            group, self._waiting = self._waiting, []
        self._write_all(group)
        with self._lock:
            following = [one for one in self._waiting if one.awaited][:1]
            self._led = bool(following)
        for one in following + group:
            one.turn.set()

    def _write_all(self, group: list[Ticket]) -> None:
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
