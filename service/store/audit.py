"""The log of actions: who did what and when. Lines are only added, and each contains the hash of the line before it.

A line's own hash covers its content and the hash of the line before (a hash chain, as in Haber and Stornetta 1991). A
line that was changed, removed or moved is therefore detected; the head records where the log ends.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from service.errors import AuditError
from service.store.callers import Caller
from service.store.sql.database import Database
from service.store.sql.insertion import insert_all
from service.store.sql.paging import newest_page
from service.store.tables import audit, audit_head
from training.registry.promotions import Promotion

ActionName = Literal[
    "submit",
    "replace article",
    "delete article",
    "purge article",
    "annotate",
    "adjudicate",
    "delete annotation",
    "import annotations",
    "return paragraphs",
    "assign",
    "change assignment",
    "end assignment",
    "add gold item",
    "withdraw gold item",
    "train",
    "cancel training",
    "promote",
    "roll back",
    "import model",
    "sign models",
    "create key",
    "revoke key",
    "open access",
]
# Stands in the first line for the hash of the line before.
_NO_HASH = "0" * 64
_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the log: `subject` names the object of the action, `detail` has further facts.

    `action` is any text, because an older version may have written names that are not in `ActionName`.
    """

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
    """An action to log: who did what to which object, with further facts."""

    caller: Caller
    name: ActionName
    subject: str
    detail: Mapping[str, Any]


def note(connection: Connection, caller: Caller, action: ActionName, subject: str, **detail: Any) -> None:
    """Adds a line, in the transaction of the action itself."""
    note_all(connection, [Action(caller, action, subject, detail)])


_HEAD = select(audit_head.c.lines, audit_head.c.sha256)


def note_all(connection: Connection, actions: Sequence[Action]) -> None:
    """Adds a line for each action, in the transaction of the actions themselves."""
    if not actions:
        return
    head = connection.execute(_HEAD).first()
    number, digest = head or (0, _NO_HASH)
    now, rows = datetime.now(UTC), []
    for action in actions:
        number += 1
        caller, subject = action.caller, action.subject[:512]
        line = LogLine(number, now, caller.name, caller.key_id, action.name, subject, action.detail, "")
        digest = _digest(line, digest)
        rows.append((number, now, caller.name, caller.key_id, action.name, subject, action.detail, digest))
    insert_all(connection, {audit: rows})
    end = {"lines": number, "sha256": digest}
    if head is None:
        connection.execute(insert(audit_head), {"number": 1, **end})
    else:
        connection.execute(update(audit_head), end)


def note_promotion(connection: Connection, caller: Caller, promotion: Promotion) -> None:
    """Adds a line for a change of the champion. The authoritative history is the registry's."""
    facts = {"number": promotion.number, "previous": promotion.previous, "reason": promotion.reason}
    action: ActionName = "promote" if promotion.action == "promote" else "roll back"
    note(connection, caller, action, promotion.version, forced=promotion.forced, by=promotion.by, **facts)


def _digest(line: LogLine, before: str) -> str:
    fields = [line.number, line.at.isoformat(), line.who, line.key_id, line.action, line.subject, line.detail]
    content = json.dumps(fields, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(f"{before}\n{content}".encode()).hexdigest()


def listing(
    connection: Connection, after: int | None, limit: int, action: str | None = None
) -> tuple[list[LogLine], int | None]:
    """Up to `limit` lines, newest first, and the number after which the next page starts, or None."""
    query = select(audit)
    if action is not None:
        query = query.where(audit.c.action == action)
    rows, following = newest_page(connection, query, audit.c.number, after, limit)
    return [LogLine(**row._mapping) for row in rows], following


def all_lines(connection: Connection) -> Iterator[LogLine]:
    """Every line, oldest first."""
    last = 0
    while lines := _lines_after(connection, last):
        yield from lines
        last = lines[-1].number


def batches(database: Database) -> Iterator[list[tuple[Any, ...]]]:
    """Yields the rows of all lines, oldest first; each batch is read in a separate transaction."""
    last = 0
    while True:
        with database.read() as connection:
            lines = _lines_after(connection, last)
        if not lines:
            return
        yield [(*astuple(line)[:6], json.dumps(line.detail, sort_keys=True), line.sha256) for line in lines]
        last = lines[-1].number


def _lines_after(connection: Connection, number: int) -> list[LogLine]:
    query = select(audit).where(audit.c.number > number).order_by(audit.c.number).limit(_AT_ONCE)
    return [LogLine(**row._mapping) for row in connection.execute(query)]


def verify(connection: Connection) -> int:
    """Returns the number of lines; raises `AuditError` naming the first that was changed, removed or moved."""
    before, number = _NO_HASH, 0
    for line in all_lines(connection):
        number += 1
        if line.number != number:
            raise AuditError(f"Line {number} of the log of actions is missing.")
        if _digest(line, before) != line.sha256:
            raise AuditError(f"Line {number} of the log of actions was changed or moved.")
        before = line.sha256
    head = connection.execute(select(audit_head.c.lines, audit_head.c.sha256)).first()
    if (head.lines, head.sha256) != (number, before) if head else number:
        raise AuditError(f"The log of actions ends at line {number}, but had {head.lines if head else 0} lines.")
    return number
