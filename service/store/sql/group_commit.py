"""Group commit: items that several threads write at the same time share a transaction, which is synced once.

The first thread that waits for its result becomes the leader and writes all items that are waiting. Of the threads
whose items arrived during that transaction, the first that waits leads the next. (Databases do the same for the commits
of several connections, but here only a single write transaction can be open at a time.) A thread may do other work
between `put` and `result`, while others write its item.
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
    """An item that a thread has put, and its result or error.

    `turn` is set when the item is done, or when the thread, which is waiting, has to lead.
    """

    item: Any
    result: Any = None
    error: BaseException | None = None
    done: bool = False
    awaited: bool = False
    turn: Event = field(default_factory=Event)


class GroupCommit(Generic[Item, Result]):
    """Writes the items of many threads in few transactions; `do` writes a group and returns the results in order."""

    def __init__(
        self,
        write: Callable[[], AbstractContextManager[Connection]],
        do: Callable[[Connection, Sequence[Item]], Sequence[Result]],
    ) -> None:
        self._write, self._do = write, do
        self._waiting: list[Ticket] = []
        self._has_leader = False
        self._lock = Lock()

    def put(self, item: Item) -> Ticket:
        """Adds an item, which other threads may write; the caller must then call `result`."""
        ticket = Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
        return ticket

    def result(self, ticket: Ticket) -> Result:
        """Waits until an item is durable and returns its result; raises the error if it cannot be written."""
        with self._lock:
            ticket.awaited = True
            leads = not ticket.done and not self._has_leader
            self._has_leader = self._has_leader or leads
        if not leads:
            # An event, not a lock: threads whose items are done would wait for the lock behind the next group.
            ticket.turn.wait()
        if not ticket.done:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[no-any-return]

    def _lead(self) -> None:
        """Writes all waiting items, and makes the first thread that waits for a newer item the next leader."""
        with self._lock:
            group, self._waiting = self._waiting, []
        self._write_all(group)
        with self._lock:
            following = [ticket for ticket in self._waiting if ticket.awaited][:1]
            self._has_leader = bool(following)
        for ticket in following + group:
            ticket.turn.set()

    def _write_all(self, group: list[Ticket]) -> None:
        try:
            with self._write() as connection:
                results = self._do(connection, [ticket.item for ticket in group])
            for ticket, result in zip(group, results, strict=True):
                ticket.result = result
        except BaseException as error:  # noqa: BLE001 - each thread raises it
            if len(group) > 1 and _is_fault_of_an_item(error):
                for ticket in group:
                    self._write_all([ticket])
                return
            for ticket in group:
                ticket.error = error
        finally:
            for ticket in group:
                ticket.done = True


def _is_fault_of_an_item(error: BaseException) -> bool:
    """Whether an item caused the error; if the database did, writing the items separately would fail again."""
    if isinstance(error, SQLAlchemyError):
        return isinstance(error, DataError | IntegrityError)
    return isinstance(error, Exception)
