"""Training runs: the request, the progress and the result of each."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, update

from service.errors import IdempotencyKeyReusedError, NotFoundError
from service.store.sql.paging import newest_page
from service.store.tables import training_runs
from training.hyperparameters import WantedKind

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
ENDED: frozenset[State] = frozenset({"succeeded", "failed", "cancelled"})
# Starts the line of the log that says why the model of a run was not promoted.
NOT_PROMOTED = "not promoted: "
_LOG_LINES = 200


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to train on and how.

    `coders` None means the annotations of all coders, `seed` None the default seed; `kind` and `pull` None those of the
    settings.
    """

    note: str = ""
    seed: int | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    include_corpus: bool = True
    coders: Sequence[str] | None = None
    kind: WantedKind | None = None
    pull: float | None = None


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A training run and its current state."""

    number: int
    id: str
    state: State
    step: str
    progress: float
    request: RunRequest
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested: bool
    annotations: int | None
    corpus_paragraphs: int | None
    annotations_digest: str | None
    version: str | None
    verdict: Mapping[str, Any] | None
    label_diff: Mapping[str, Any] | None
    promoted: bool | None
    error: str | None
    log: list[str]


def by_coders(coders: Sequence[str]) -> str:
    """Names coders in a sentence about a run, so that the names can be replaced in it."""
    return f" by {', '.join(coders)}"


def queued_under(connection: Connection, idempotency_key: str, request: RunRequest) -> TrainingRun | None:
    """The run that was queued under the key; None if the key is new.

    Raises `IdempotencyKeyReusedError` if the key was sent before with another request.
    """
    row = connection.execute(select(training_runs).where(training_runs.c.idempotency_key == idempotency_key)).first()
    if row is None:
        return None
    run = _run(row)
    if run.request != request:
        raise IdempotencyKeyReusedError
    return run


def create(connection: Connection, request: RunRequest, idempotency_key: str | None = None) -> TrainingRun:
    """Queues a run, under a key that is new."""
    identifier = uuid.uuid4().hex
    connection.execute(
        insert(training_runs),
        {
            "id": identifier,
            "state": "queued",
            "step": "queued",
            "progress": 0.0,
            "request": asdict(request),
            "created_at": datetime.now(UTC),
            "cancel_requested": False,
            "idempotency_key": idempotency_key,
            "log": [],
        },
    )
    return require(connection, identifier)


def get(connection: Connection, identifier: str) -> TrainingRun | None:
    """The run; None if it does not exist."""
    row = connection.execute(select(training_runs).where(training_runs.c.id == identifier)).first()
    return None if row is None else _run(row)


def require(connection: Connection, identifier: str) -> TrainingRun:
    """The run; raises `NotFoundError` if it does not exist."""
    run = get(connection, identifier)
    if run is None:
        raise NotFoundError(f"No training run has the id {identifier}.")
    return run


def listing(connection: Connection, after: int | None, limit: int) -> tuple[list[TrainingRun], int | None]:
    """Up to `limit` runs, newest first, and the number after which the next page starts, or None."""
    rows, following = newest_page(connection, select(training_runs), training_runs.c.number, after, limit)
    return [_run(row) for row in rows], following


def next_to_do(connection: Connection) -> TrainingRun | None:
    """The running run, else the oldest queued run, else None."""
    query = select(training_runs).where(training_runs.c.state.in_(("running", "queued")))
    row = connection.execute(query.order_by(training_runs.c.state.desc(), training_runs.c.number).limit(1)).first()
    return None if row is None else _run(row)


def newest(connection: Connection) -> TrainingRun | None:
    """The run that was queued last; None if no run is stored."""
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


def cancel(connection: Connection, identifier: str) -> bool:
    """Cancels a queued run at once, and requests a running run to stop; returns whether this changed the run.

    Raises `NotFoundError` if the run does not exist.
    """
    run = require(connection, identifier)
    if run.state == "queued":
        finish(connection, identifier, "cancelled", line="cancelled before it started")
    elif run.state == "running" and not run.cancel_requested:
        change(connection, identifier, line="stop requested", cancel_requested=True)
    else:
        return False
    return True


def _run(row: Row[Any]) -> TrainingRun:
    fields = {name: getattr(row, name) for name in TrainingRun.__dataclass_fields__}
    return TrainingRun(**{**fields, "request": RunRequest(**row.request)})
