"""The log of actions: who did what and when. Lines are only added, and each vouches for the one before it.

A line's hash covers its content and the hash of the line before (a hash chain, as in Haber and Stornetta 1991), so a
line that is changed, removed or put elsewhere shows; the head says where the log ends.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from labels.errors import FramingError
from service.store.callers import Caller
from service.store.sql.database import Database
from service.store.sql.insertion import insert_all
from service.store.tables import audit, audit_head
from training.registry.versions import Promotion

_FIRST = "0" * 64
_AT_ONCE = 5000


class AuditError(FramingError):
    """The log of actions was tampered with."""


@dataclass(frozen=True, slots=True)
class Line:
    """An action: `subject` is what it was done to, `detail` what else is known."""

    number: int
    at: datetime
    who: str
    key_id: str | None
    action: str
    subject: str
    detail: Mapping[str, Any]
    sha256: str


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody did, and to what."""

    caller: Caller
    name: str
    subject: str
    detail: Mapping[str, Any]


def note(connection: Connection, caller: Caller, action: str, subject: str, **detail: Any) -> None:
    """Adds a line, in the transaction of what it tells of."""
    note_all(connection, [Action(caller, action, subject, detail)])


_HEAD = select(audit_head.c.lines, audit_head.c.sha256)


def note_all(connection: Connection, actions: Sequence[Action]) -> None:
    """Adds a line for each, in the transaction of what they tell of."""
    if not actions:
        return
    head = connection.execute(_HEAD).first()
    number, digest = head or (0, _FIRST)
    now, rows = datetime.now(UTC), []
    for action in actions:
        number += 1
        caller, subject = action.caller, action.subject[:512]
        line = Line(number, now, caller.name, caller.key_id, action.name, subject, action.detail, "")
        digest = _digest(line, digest)
        rows.append((number, now, caller.name, caller.key_id, action.name, subject, action.detail, digest))
    insert_all(connection, {audit: rows})
    end = {"lines": number, "sha256": digest}
    if head is None:
        connection.execute(insert(audit_head), {"number": 1, **end})
    else:
        connection.execute(update(audit_head), end)


def note_promotion(connection: Connection, caller: Caller, promotion: Promotion) -> None:
    """Notes which model became champion. The registry has the history that counts."""
    facts = {"number": promotion.number, "previous": promotion.previous, "reason": promotion.reason}
    action = "promote" if promotion.action == "promote" else "roll back"
    note(connection, caller, action, promotion.version, forced=promotion.forced, by=promotion.by, **facts)


def _digest(line: Line, before: str) -> str:
    fields = [line.number, line.at.isoformat(), line.who, line.key_id, line.action, line.subject, line.detail]
    content = json.dumps(fields, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(f"{before}\n{content}".encode()).hexdigest()


def listing(
    connection: Connection, after: int | None, limit: int, action: str | None = None
) -> tuple[list[Line], int | None]:
    """Up to `limit` lines, newest first, and the number to go on after, or None."""
    query = select(audit).order_by(audit.c.number.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(audit.c.number < after)
    if action is not None:
        query = query.where(audit.c.action == action)
    lines = [Line(**row._mapping) for row in connection.execute(query)]
    page = lines[:limit]
    return page, page[-1].number if len(lines) > limit else None


def all_lines(connection: Connection) -> Iterator[Line]:
    """Every line, the oldest first."""
    last = 0
    while lines := _lines_after(connection, last):
        yield from lines
        last = lines[-1].number


def batches(database: Database) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of all lines, the oldest first, in batches that are each read for themselves."""
    last = 0
    while True:
        with database.read() as connection:
            lines = _lines_after(connection, last)
        if not lines:
            return
        yield [(*astuple(line)[:6], json.dumps(line.detail, sort_keys=True), line.sha256) for line in lines]
        last = lines[-1].number


def _lines_after(connection: Connection, number: int) -> list[Line]:
    query = select(audit).where(audit.c.number > number).order_by(audit.c.number).limit(_AT_ONCE)
    return [Line(**row._mapping) for row in connection.execute(query)]


def verify(connection: Connection) -> int:
    """How many lines there are; raises `AuditError` naming the first that is not as it was written."""
    before, number = _FIRST, 0
    for line in all_lines(connection):
        number += 1
        if line.number != number:
            raise AuditError(f"Line {number} of the log of actions is missing.")
        if _digest(line, before) != line.sha256:
            raise AuditError(f"Line {number} of the log of actions is not as it was written, or not in its place.")
        before = line.sha256
    head = connection.execute(select(audit_head.c.lines, audit_head.c.sha256)).first()
    if (head.lines, head.sha256) != (number, before) if head else number:
        raise AuditError(f"The log of actions ends at line {number}, but had {head.lines if head else 0} lines.")
    return number
