"""/v1/training-runs: challengers trained, judged and, by policy, promoted."""

from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from anyio import to_thread
from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from service.access.needs import Admin, needs
from service.http.body import StrictJsonRoute
from service.http.dependencies import Services, State
from service.http.problem_details import NotFoundError
from service.models.answers import training_run_answer
from service.routes import guarded
from service.schemas.training import TrainingRunAnswer, TrainingRunList, TrainingRunRequest
from service.store import audit
from service.store import training_runs as store

router = APIRouter(prefix="/v1/training-runs", tags=["training"], route_class=StrictJsonRoute)

RunId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Id of a training run.")]
_POLL_SECONDS = 0.3
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
    state: State,
    caller: Admin,
    response: Response,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$", description="One key is one run.")
    ] = None,
) -> TrainingRunAnswer:
    """Queues a training run; one runs at a time. Follow it at the address in `Location`."""
    with state.database.write() as connection:
        run = store.create(connection, request.model_dump(mode="json"), idempotency_key)
        audit.note(connection, caller, "train", run.id, note=request.note)
    response.headers["Location"] = f"/v1/training-runs/{run.id}"
    return training_run_answer(run)


@router.get("", dependencies=needs["reader"], responses=guarded(422, 503))
def listing(
    state: State,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> TrainingRunList:
    """Training runs, newest first."""
    with state.database.read() as connection:
        runs, following = store.listing(connection, int(cursor) if cursor else None, limit)
    return TrainingRunList(
        training_runs=[training_run_answer(run) for run in runs],
        next=None if following is None else str(following),
    )


@router.get("/{id:id}", dependencies=needs["reader"], responses=guarded(404, 422, 503))
def get(id: RunId, state: State) -> TrainingRunAnswer:
    """A run: its state, step and progress, its log, and what came of it."""
    return training_run_answer(_require(state, id))


@router.post("/{id:id}/cancel", responses=guarded(404, 422, 503))
def cancel(id: RunId, state: State, caller: Admin) -> TrainingRunAnswer:
    """Cancels a queued run at once and asks a running one to stop; one that has ended stays as it is."""
    with state.database.write() as connection:
        run = store.cancel(connection, id)
        if run is not None:
            audit.note(connection, caller, "cancel training", id)
    if run is None:
        raise NotFoundError(f"There is no training run {id}.")
    return training_run_answer(run)


@router.get(
    "/{id:id}/events",
    dependencies=needs["reader"],
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Each change of the run",
            "content": {"text/event-stream": {"schema": _EVENT}},
        },
        **guarded(404, 422, 503),
    },
)
def events(id: RunId, state: State, request: Request) -> StreamingResponse:
    """Server-sent events: the run whenever it changes, until it has ended."""
    _require(state, id)
    return StreamingResponse(_changes(state, id, request), media_type="text/event-stream")


async def _changes(state: Services, identifier: str, request: Request) -> AsyncIterator[str]:
    sent = ""
    while not await request.is_disconnected():
        run = await to_thread.run_sync(_require, state, identifier)
        found = training_run_answer(run).model_dump_json()
        if found != sent:
            sent = found
            yield f"event: run\ndata: {found}\n\n"
        if run.state in store.ENDED:
            return
        await anyio.sleep(_POLL_SECONDS)


def _require(state: Services, identifier: str) -> store.TrainingRun:
    with state.database.read() as connection:
        run = store.get(connection, identifier)
    if run is None:
        raise NotFoundError(f"There is no training run {identifier}.")
    return run
