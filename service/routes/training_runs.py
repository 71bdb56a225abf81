"""/v1/training-runs: training a challenger, judging it and, if the settings allow it, promoting it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from service.http.body import StrictJsonRoute
from service.http.dependencies import (
    Admin,
    IdempotencyKey,
    Reader,
    UseCodebook,
    UseDatabase,
    UseRegistry,
    UseRunWatch,
    UseSettings,
)
from service.http.event_stream import EventStream
from service.http.paging import NumberCursor, read_number_cursor, write_number_cursor
from service.http.responses import guarded
from service.jobs.run_watch import RunWatch
from service.models.answers import training_run_answer
from service.schemas.fields import ID_PATTERN
from service.schemas.training import TrainingRunAnswer, TrainingRunList, TrainingRunRequest
from service.store import audit
from service.store import training_runs as store
from service.store.callers import Caller
from service.store.sql.database import Database
from training.kinds.wanted import kind_to_train, require_used

router = APIRouter(prefix="/v1/training-runs", tags=["training"], route_class=StrictJsonRoute)

RunId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a training run.")]
_EVENT = {"type": "object", "properties": {"event": {"type": "string"}, "data": {"type": "string"}}}


@router.post(
    "",
    status_code=202,
    responses={
        202: {"headers": {"Location": {"description": "Address of the run.", "schema": {"type": "string"}}}},
        **guarded(400, 409, 413, 422, 503),
    },
)
def create(
    request: TrainingRunRequest,
    database: UseDatabase,
    registry: UseRegistry,
    codebook: UseCodebook,
    settings: UseSettings,
    caller: Admin,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> TrainingRunAnswer:
    """Queues a training run; runs are performed in turn. Follow it at the address in `Location`.

    Hyperparameters that the kind of model does not use are refused. A request that is sent again under the same
    Idempotency-Key is answered with the run that it queued.
    """
    wanted = request.run_request()
    if wanted.hyperparameters:
        kind = kind_to_train(wanted.kind or settings.kind, registry.champion_card(), codebook)
        require_used(kind, wanted.hyperparameters)
    with database.write() as connection:
        run = None if idempotency_key is None else store.queued_under(connection, idempotency_key, wanted)
        if run is None:
            run = store.create(connection, wanted, idempotency_key)
            audit.note(connection, caller, "train", run.id, note=request.note)
    response.headers["Location"] = f"/v1/training-runs/{run.id}"
    return training_run_answer(run, caller)


@router.get("", responses=guarded(422, 503))
def listing(
    database: UseDatabase,
    caller: Reader,
    cursor: NumberCursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> TrainingRunList:
    """Training runs, newest first; the names of coders are for admins."""
    with database.read() as connection:
        runs, following = store.listing(connection, read_number_cursor(cursor), limit)
    return TrainingRunList(
        training_runs=[training_run_answer(run, caller) for run in runs],
        next=write_number_cursor(following),
    )


@router.get("/{id:id}", responses=guarded(404, 422, 503))
def get(id: RunId, database: UseDatabase, caller: Reader) -> TrainingRunAnswer:
    """A run: its state, step and progress, its log and its result."""
    return training_run_answer(_require(database, id), caller)


@router.post("/{id:id}/cancel", responses=guarded(404, 422, 503))
def cancel(id: RunId, database: UseDatabase, caller: Admin) -> TrainingRunAnswer:
    """Cancels a queued run at once and makes a running run stop soon; a run that has ended does not change."""
    with database.write() as connection:
        if store.cancel(connection, id):
            audit.note(connection, caller, "cancel training", id)
        run = store.require(connection, id)
    return training_run_answer(run, caller)


@router.get(
    "/{id:id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Each change of the run",
            "content": {"text/event-stream": {"schema": _EVENT}},
        },
        **guarded(404, 422, 503),
    },
)
def events(id: RunId, database: UseDatabase, watch: UseRunWatch, caller: Reader, request: Request) -> StreamingResponse:
    """Server-sent events: the run after each change, until it has ended.

    A line `:` every 15 seconds shows that the connection is alive. A key may have only so many streams open.
    """
    _require(database, id)
    return EventStream(request, _events(watch, id, caller))


async def _events(watch: RunWatch, identifier: str, caller: Caller) -> AsyncGenerator[str]:
    async with aclosing(watch.follow(identifier)) as runs:
        async for run in runs:
            yield f"event: run\ndata: {training_run_answer(run, caller).model_dump_json()}\n\n"


def _require(database: Database, identifier: str) -> store.TrainingRun:
    with database.read() as connection:
        return store.require(connection, identifier)
