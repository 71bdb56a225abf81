"""/v1/annotations: what coders decided about paragraphs; /v1/agreement: how far they agree."""

from dataclasses import asdict
from functools import partial
from typing import Annotated, Literal

import numpy as np
from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Discriminator, Field, Tag

from labels.exchange import FORMATS
from service.access.needs import Admin, Coder, needs
from service.articles.answers import annotation_answer
from service.coding.agreement import agreement_answer
from service.coding.annotate import new_annotation, note_code, require_own, whose
from service.coding.exchange import export_codes, import_codes
from service.coding.queue import tasks_for
from service.http.body import StrictJsonRoute
from service.http.dependencies import State
from service.http.problem_details import UNION_TAGS, NotFoundError
from service.routes import guarded
from service.schemas.annotations import (
    AgreementAnswer,
    AnnotationList,
    AnnotationRequest,
    CodingQueue,
    CodingTask,
    ImportAnswer,
)
from service.store import annotations as store
from service.store import audit
from service.store.annotations import Selection

router = APIRouter(prefix="/v1", tags=["annotations"], route_class=StrictJsonRoute)

MAX_AT_ONCE = 5000

FormatName = Literal["label-studio", "doccano", "prodigy", "argilla", "csv-long", "csv-wide", "refi-qda", "corpus"]


OneOrMany = Annotated[
    Annotated[AnnotationRequest, Tag(UNION_TAGS[0])]
    | Annotated[list[AnnotationRequest], Field(min_length=1, max_length=MAX_AT_ONCE), Tag(UNION_TAGS[1])],
    Discriminator(lambda body: UNION_TAGS[isinstance(body, list)]),
]


@router.post("/annotations", status_code=201, responses=guarded(400, 404, 413, 422, 503))
def create(
    request: OneOrMany,
    state: State,
    caller: Coder,
) -> AnnotationList:
    """Stores one code, a list or JSON Lines of them, all or none.

    The same coder coding the same paragraph again replaces the code; the old one stays in the history. A key of the
    role coder codes under its own name; adjudications, and codes of others, are for admins.
    """
    requests = request if isinstance(request, list) else [request]
    for one in requests:
        require_own(caller, one.coder, one.role)
    with state.database.write() as connection:
        added = [
            store.add(connection, new_annotation(connection, one, state.codebook, None if one is request else place))
            for place, one in enumerate(requests)
        ]
        for stored in added:
            note_code(connection, caller, stored)
    return AnnotationList(annotations=[annotation_answer(annotation) for annotation in added])


@router.get("/annotations", responses=guarded(422, 503))
def listing(
    state: State,
    caller: Coder,
    coder: Annotated[str | None, Query(max_length=128)] = None,
    article_id: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
    source: Annotated[str | None, Query(max_length=256)] = None,
    selection: Selection | None = None,
    history: Annotated[bool, Query(description="Also those that were replaced or deleted.")] = False,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AnnotationList:
    """Annotations, newest first; of a key of the role coder its own."""
    filters = store.Filters(whose(caller, coder), article_id, source, selection, history)
    with state.database.read() as connection:
        page, following = store.listing(connection, filters, int(cursor) if cursor else None, limit)
    return AnnotationList(
        annotations=[annotation_answer(annotation) for annotation in page],
        next=None if following is None else str(following),
    )


@router.get(
    "/annotations/export",
    response_class=Response,
    responses={
        200: {"description": "The file", "content": {f.media_type: {} for f in FORMATS.values()}},
        **guarded(422, 503),
    },
)
def export(
    state: State,
    caller: Coder,
    file_format: Annotated[FormatName, Query(alias="format", description="Which tool's file.")],
) -> Response:
    """The codes in force as a file for another tool; of a key of the role coder its own.

    Adjudications stay here: those files hold coders' codes.
    """
    chosen = FORMATS[file_format]
    content = export_codes(state.database, state.codebook, file_format, coder=whose(caller, None))
    disposition = f'attachment; filename="codes{chosen.suffix}"'
    return Response(content, media_type=chosen.media_type, headers={"Content-Disposition": disposition})


@router.post(
    "/annotations/import",
    status_code=201,
    responses=guarded(400, 413, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def import_file(
    request: Request,
    state: State,
    caller: Admin,
    file_format: Annotated[FormatName, Query(alias="format", description="Which tool's file.")],
    coder: Annotated[
        str | None, Query(min_length=1, max_length=128, description="Whose, where the file does not say.")
    ] = None,
    dry_run: Annotated[bool, Query(description="Only say what would be stored.")] = False,
) -> ImportAnswer:
    """Stores the codes of another tool's file, sent as the body: all of them, or none and every bad row named."""
    done = await to_thread.run_sync(
        partial(
            import_codes,
            state.database,
            state.codebook,
            file_format,
            await request.body(),
            coder=coder,
            dry_run=dry_run,
            caller=caller,
        )
    )
    return ImportAnswer(**asdict(done))


@router.delete(
    "/annotations/{id:id}",
    status_code=204,
    response_class=Response,
    responses=guarded(404, 422, 503),
)
def delete(
    id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")],
    state: State,
    caller: Coder,
) -> None:
    """Takes a code out of force; it stays in the history. A key of the role coder does so to its own codes."""
    with state.database.write() as connection:
        if not store.remove(connection, id, coder=whose(caller, None)):
            raise NotFoundError(f"No annotation in force has the id {id}.")
        audit.note(connection, caller, "remove code", id)


@router.get("/coding-queue", responses=guarded(422, 503))
def coding_queue(
    state: State,
    caller: Coder,
    coder: Annotated[str, Query(min_length=1, max_length=128, pattern=r"^[^\x00]*\S[^\x00]*$")],
    n: Annotated[int, Query(ge=1, le=200, description="How many paragraphs.")] = 20,
    whole: Annotated[
        bool, Query(description="Draw articles and give all their paragraphs, to correct shares of articles.")
    ] = False,
) -> CodingQueue:
    """Paragraphs to code: half at random, half where the model is unsure, some that another coder has too.

    Near-duplicates are left out. The probability of each draw is kept with the code, so that the same codes can
    estimate prevalence without bias. Asking again gives the same paragraphs until they are coded.
    """
    require_own(caller, coder)
    model = None if state.champion.version() is None else state.champion.model()
    with state.database.write() as connection:
        tasks = tasks_for(connection, coder, n, model, np.random.default_rng(), whole=whole)
    return CodingQueue(coder=coder, tasks=[CodingTask(**asdict(task)) for task in tasks])


@router.get("/agreement", dependencies=needs["admin"], responses=guarded(503))
def agreement(state: State) -> AgreementAnswer:
    """Krippendorff's alpha per frame, for stance and per pair of coders, and the disagreements to settle."""
    with state.database.read() as connection:
        own = store.coded_paragraphs(connection, state.codebook.keys, adjudicated=False)
        settled = store.settled_by(connection)
    return agreement_answer(own, settled, state.codebook)
