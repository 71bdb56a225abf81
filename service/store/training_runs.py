"""Training runs: what was asked for, how far it is, what came of it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, update

from service.store.idempotency import IdempotencyKeyReusedError
from service.store.tables import training_runs

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
ENDED: frozenset[State] = frozenset({"succeeded", "failed", "cancelled"})
_LOG_LINES = 200


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One run as it stands."""

    number: int
    id: str
    state: State
    step: str
    progress: float
    request: Mapping[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested: bool
    annotations: int | None
    annotations_digest: str | None
    version: str | None
    verdict: Mapping[str, Any] | None
    label_diff: Mapping[str, Any] | None
    promoted: bool | None
    error: str | None
    log: list[str]


def default_request(note: str = "") -> dict[str, Any]:
    """What a run is asked for where nobody says otherwise."""
    return {"note": note, "seed": None, "hyperparameters": {}, "include_corpus": True, "coders": None}


def create(connection: Connection, request: Mapping[str, Any], idempotency_key: str | None = None) -> TrainingRun:
    """Queues a run, or gives the one that was queued under the same key.

    Raises `IdempotencyKeyReusedError` where the key stands for another request.
    """
    if idempotency_key is not None:
        row = connection.execute(
            select(training_runs).where(training_runs.c.idempotency_key == idempotency_key)
        ).first()
        if row is not None:
            if row.request != dict(request):
                raise IdempotencyKeyReusedError
            return _run(row)
    identifier = uuid.uuid4().hex
    connection.execute(
        insert(training_runs),
        {
            "id": identifier,
            "state": "queued",
            "step": "queued",
            "progress": 0.0,
            "request": dict(request),
            "created_at": datetime.now(UTC),
            "cancel_requested": False,
            "idempotency_key": idempotency_key,
            "log": [],
        },
    )
    return require(connection, identifier)


def get(connection: Connection, identifier: str) -> TrainingRun | None:
    row = connection.execute(select(training_runs).where(training_runs.c.id == identifier)).first()
    return None if row is None else _run(row)


def require(connection: Connection, identifier: str) -> TrainingRun:
    """The run of that id, which is known to exist."""
    return _run(connection.execute(select(training_runs).where(training_runs.c.id == identifier)).one())


def listing(connection: Connection, after: int | None, limit: int) -> tuple[list[TrainingRun], int | None]:
    """Up to `limit` runs, newest first, and the number to go on after, or None."""
    query = select(training_runs).order_by(training_runs.c.number.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(training_runs.c.number < after)
    rows = connection.execute(query).all()
    return [_run(row) for row in rows[:limit]], rows[limit - 1].number if len(rows) > limit else None


def next_to_do(connection: Connection) -> TrainingRun | None:
    """The run that is under way, else the oldest that is queued."""
    query = select(training_runs).where(training_runs.c.state.in_(("running", "queued")))
    row = connection.execute(query.order_by(training_runs.c.state.desc(), training_runs.c.number).limit(1)).first()
    return None if row is None else _run(row)


def newest(connection: Connection) -> TrainingRun | None:
    row = connection.execute(select(training_runs).order_by(training_runs.c.number.desc()).limit(1)).first()
    return None if row is None else _run(row)


def change(connection: Connection, identifier: str, *, line: str | None = None, **values: Any) -> None:
    """Sets columns of a run and adds a line to its log."""
    if line is not None:
        log = connection.scalar(select(training_runs.c.log).where(training_runs.c.id == identifier)) or []
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        values["log"] = [*log, f"{stamp} {line}"][-_LOG_LINES:]
    connection.execute(update(training_runs).where(training_runs.c.id == identifier).values(**values))


def finish(connection: Connection, identifier: str, state: State, *, line: str, error: str | None = None) -> None:
    """Ends a run that has not ended yet."""
    run = require(connection, identifier)
    if run.state not in ENDED:
        change(connection, identifier, line=line, state=state, error=error, finished_at=datetime.now(UTC))


def cancel(connection: Connection, identifier: str) -> TrainingRun | None:
    """Cancels a queued run at once and asks a running one to stop; None where there is no such run."""
    run = get(connection, identifier)
    if run is None:
        return None
    if run.state == "queued":
        finish(connection, identifier, "cancelled", line="cancelled before it started")
    elif run.state == "running":
        change(connection, identifier, line="asked to stop", cancel_requested=True)
    return require(connection, identifier)


def _run(row: Row[Any]) -> TrainingRun:
    fields = {name: getattr(row, name) for name in TrainingRun.__dataclass_fields__}
    return TrainingRun(**fields)
