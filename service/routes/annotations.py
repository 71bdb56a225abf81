"""/v1/annotations, /v1/coding-queue and /v1/agreement: the work of coders."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated

import numpy as np
from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Discriminator, Field, Tag

from labels.annotations import Selection
from labels.codebook import Codebook
from labels.exchange import FORMATS, FormatName
from labels.exchange.options import ReadingOptions, Unit, coder_map, label_map
from service.coding.agreement import stored_agreement
from service.coding.annotate import log_annotations, new_annotation, permitted_coder, require_own
from service.coding.answers import annotation_answer
from service.coding.exchange import export_annotations, import_annotations
from service.coding.gold import with_gold_items
from service.coding.queue import tasks_for, why_fewer
from service.errors import NotFoundError
from service.http.body import StrictJsonRoute
from service.http.dependencies import Admin, Coder, UseCodebook, UseDatabase, UseModelIfAny, UseSettings, needs
from service.http.paging import NumberCursor, read_number_cursor, write_number_cursor
from service.http.problem_details import UNION_TAGS
from service.http.responses import guarded
from service.schemas.annotations import (
    AgreementAnswer,
    AnnotationList,
    AnnotationRequest,
    CodingQueue,
    CodingQueueRequest,
    CodingTask,
    ImportAnswer,
    ReturnAnswer,
)
from service.schemas.fields import ID_PATTERN
from service.store import annotations as store
from service.store import audit
from service.store.draws import AssignedParagraph, count_waiting, lacking_frames, open_tasks, return_all
from training.encoder.vectors import VectorStore

router = APIRouter(prefix="/v1", tags=["annotations"], route_class=StrictJsonRoute)

# A list is stored under the lock of writers, some 1 ms of it for each annotation; imports hold it less.
MAX_AT_ONCE = 1000
MAX_NAMES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What the caller says about a file, in the query."""

    coder: Annotated[
        str | None, Query(min_length=1, max_length=128, description="The coder of annotations that name none.")
    ] = None
    text_field: Annotated[str | None, Query(description="The field of the text, if it is not `text`.")] = None
    question: Annotated[
        str | None, Query(description="The question, control, scheme or column whose answers are frames.")
    ] = None
    coder_field: Annotated[str | None, Query(description="The field of the coder.")] = None
    map: Annotated[
        list[str],
        Query(
            default_factory=list,
            max_length=MAX_NAMES,
            description="`LABEL=frame`, for a label that is not a frame; `LABEL=none` if it says that there is none.",
        ),
    ]
    ignore: Annotated[list[str], Query(default_factory=list, max_length=MAX_NAMES, description="A label to leave out.")]
    coder_map: Annotated[
        list[str], Query(default_factory=list, max_length=MAX_NAMES, description="`ID=name`, for a coder in the file.")
    ]
    empty_means_none: Annotated[
        bool, Query(description="Whether an empty answer says that no frame is present. Otherwise it is set aside.")
    ] = False
    unit: Annotated[Unit, Query(description="What a selection of REFI-QDA codes.")] = "paragraph"
    encoding: Annotated[str | None, Query(description="The encoding of the file, if it is not to be found out.")] = None
    delimiter: Annotated[
        str | None, Query(description="What separates the cells of a CSV file, if it is not to be found out.")
    ] = None

    def read(self) -> ReadingOptions:
        """Returns the options; raises `ExchangeError` for a pair that is not written with `=`."""
        return ReadingOptions(
            text_field=self.text_field,
            question=self.question,
            coder_field=self.coder_field,
            frames=label_map(self.map),
            ignored=frozenset(self.ignore),
            coders=coder_map(self.coder_map),
            coder=self.coder,
            empty_means_none=self.empty_means_none,
            unit=self.unit,
            encoding=self.encoding,
            delimiter=self.delimiter,
        )


AnnotationOrList = Annotated[
    Annotated[AnnotationRequest, Tag(UNION_TAGS[0])]
    | Annotated[list[AnnotationRequest], Field(min_length=1, max_length=MAX_AT_ONCE), Tag(UNION_TAGS[1])],
    Discriminator(lambda body: UNION_TAGS[isinstance(body, list)]),
]


@router.post("/annotations", status_code=201, responses=guarded(400, 404, 413, 422, 503))
def create(
    request: AnnotationOrList,
    database: UseDatabase,
    codebook: UseCodebook,
    caller: Coder,
) -> AnnotationList:
    """Stores an annotation, or all annotations of a list or of JSON Lines; all of them or none.

    A coder's new annotation of the same paragraph replaces the previous annotation, which stays in the history; with
    `covered`, only on those frames. A key of the role coder annotates under its own name; only an admin adjudicates or
    annotates for other coders.
    """
    is_list = isinstance(request, list)
    requests = request if isinstance(request, list) else [request]
    for annotation in requests:
        require_own(caller, annotation.coder, annotation.role)
    with database.write() as connection:
        added = [
            store.add(connection, new_annotation(connection, annotation, codebook, place if is_list else None))
            for place, annotation in enumerate(requests)
        ]
        log_annotations(connection, caller, added)
    return AnnotationList(annotations=[annotation_answer(annotation, codebook) for annotation in added])


@router.get("/annotations", responses=guarded(422, 503))
def listing(
    database: UseDatabase,
    codebook: UseCodebook,
    caller: Coder,
    coder: Annotated[str | None, Query(max_length=128)] = None,
    article_id: Annotated[str | None, Query(pattern=ID_PATTERN)] = None,
    source: Annotated[str | None, Query(max_length=256)] = None,
    selection: Selection | None = None,
    unsure: Annotated[
        bool | None, Query(description="Only those that the coder marked so, or only the others.")
    ] = None,
    history: Annotated[bool, Query(description="Include annotations that were replaced or deleted.")] = False,
    cursor: NumberCursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AnnotationList:
    """Annotations, newest first. A key of the role coder lists its own."""
    filters = store.AnnotationFilters(permitted_coder(caller, coder), article_id, source, selection, unsure, history)
    with database.read() as connection:
        page, following = store.listing(connection, filters, read_number_cursor(cursor), limit)
    return AnnotationList(
        annotations=[annotation_answer(annotation, codebook) for annotation in page],
        next=write_number_cursor(following),
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
    database: UseDatabase,
    codebook: UseCodebook,
    caller: Coder,
    file_format: Annotated[FormatName, Query(alias="format", description="The file format of a tool.")],
) -> Response:
    """The annotations in force, adjudications too, as a file for another tool.

    A key of the role coder exports its own.
    """
    exchange_format = FORMATS[file_format]
    content = export_annotations(database, codebook, file_format, coder=permitted_coder(caller, None))
    disposition = f'attachment; filename="annotations{exchange_format.suffix}"'
    return Response(content, media_type=exchange_format.media_type, headers={"Content-Disposition": disposition})


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
    database: UseDatabase,
    codebook: UseCodebook,
    caller: Admin,
    file_format: Annotated[FormatName, Query(alias="format", description="The file format of a tool.")],
    options: Annotated[ImportOptions, Depends()],
    dry_run: Annotated[bool, Query(description="Report what would be stored, and store nothing.")] = False,
) -> ImportAnswer:
    """Stores the annotations of another tool's file, which is the body of the request; all of them or none.

    The answer counts what was stored, and what was set aside because it holds no answer of a coder. A file that cannot
    be imported, or of which nothing would be stored, is answered with every bad row.
    """
    imported = await to_thread.run_sync(
        partial(
            import_annotations,
            database,
            codebook,
            file_format,
            await request.body(),
            options=options.read(),
            dry_run=dry_run,
            caller=caller,
        )
    )
    return ImportAnswer.model_validate(asdict(imported))


@router.delete(
    "/annotations/{id:id}",
    status_code=204,
    response_class=Response,
    responses=guarded(404, 422, 503),
)
def delete(
    id: Annotated[str, Path(pattern=ID_PATTERN)],
    database: UseDatabase,
    settings: UseSettings,
    caller: Coder,
) -> None:
    """Deletes an annotation, which stays in the history. A key of the role coder deletes its own."""
    with database.write() as connection:
        text = store.own_text(connection, id)
        if not store.remove(connection, id, coder=permitted_coder(caller, None)):
            raise NotFoundError(f"No annotation in force has the id {id}.")
        audit.note(connection, caller, "delete annotation", id)
        if text is not None:
            # Vectors of a stored article's paragraphs go with the article.
            VectorStore(settings.vectors_dir).forget([text])


NamedCoder = Annotated[str, Query(min_length=1, max_length=128, pattern=r"^[^\x00]*\S[^\x00]*$")]


@router.get("/coding-queue", responses=guarded(422, 503))
def coding_queue(
    database: UseDatabase,
    codebook: UseCodebook,
    caller: Coder,
    coder: NamedCoder,
    n: Annotated[int, Query(ge=1, le=200, description="Number of paragraphs.")] = 20,
    later_frames: Annotated[
        bool,
        Query(
            description="Instead, the paragraphs that the coder coded before some frames came into the codebook. Send "
            "their annotations with `covered`, the `frames` of the task."
        ),
    ] = False,
) -> CodingQueue:
    """Paragraphs that were drawn for a coder and wait, oldest first; POST draws more."""
    require_own(caller, coder)
    with database.read() as connection:
        if later_frames:
            tasks = lacking_frames(connection, coder, codebook, n)
            reason = "No other paragraph that this coder has coded lacks a frame."
        else:
            tasks = open_tasks(connection, coder, n)
            reason = "No other paragraph that was drawn for this coder waits; POST /v1/coding-queue draws more."
    return _queue(coder, tasks, codebook, reason if len(tasks) < n else None)


@router.post("/coding-queue", responses=guarded(400, 413, 422, 503))
def draw_paragraphs(
    request: CodingQueueRequest,
    model: UseModelIfAny,
    database: UseDatabase,
    codebook: UseCodebook,
    settings: UseSettings,
    caller: Coder,
) -> CodingQueue:
    """Draws paragraphs until `n` wait for the coder: half at random, half where the model is uncertain.

    What was assigned comes first, and nothing else is drawn while it waits. The second half leaves out near-duplicates.
    Some paragraphs go to a second coder too. The probability of each draw
    is stored with the annotation, so that the annotations can also estimate prevalence without bias. The answer
    contains the same paragraphs until they are coded or returned, so a request that is sent twice draws once.
    """
    require_own(caller, request.coder)
    with database.write() as connection:
        tasks = tasks_for(
            connection,
            request.coder,
            request.n,
            model,
            np.random.default_rng(),
            whole=request.whole,
            days=settings.coding_days,
        )
    # Counting all that is stored takes a while in a large store, so nobody who writes waits for it.
    with database.read() as connection:
        fewer = None if len(tasks) == request.n else why_fewer(connection, tasks, whole=request.whole)
        if request.training:
            tasks = with_gold_items(connection, request.coder, tasks, request.n)
    return _queue(request.coder, tasks, codebook, None if len(tasks) == request.n else fewer)


@router.delete("/coding-queue", responses=guarded(422, 503))
def return_paragraphs(database: UseDatabase, caller: Coder, coder: NamedCoder) -> ReturnAnswer:
    """Returns all paragraphs that wait for a coder to the pool that is drawn from, for every coder to receive.

    All of them: what a coder picks out would be another sample than what was drawn. Only what was assigned stays, until
    its assignment is over. An annotation that arrives later
    counts as that of a drawn paragraph nevertheless.
    """
    require_own(caller, coder)
    with database.write() as connection:
        returned = return_all(connection, coder)
        if returned:
            audit.note(connection, caller, "return paragraphs", coder, paragraphs=returned)
        return ReturnAnswer(coder=coder, returned=returned, assigned=count_waiting(connection, coder))


def _queue(coder: str, tasks: Sequence[AssignedParagraph], codebook: Codebook, reason: str | None) -> CodingQueue:
    return CodingQueue(coder=coder, tasks=[_task(task, codebook) for task in tasks], fewer_because=reason)


def _task(task: AssignedParagraph, codebook: Codebook) -> CodingTask:
    return CodingTask.model_validate({**asdict(task), "frames": task.frames or codebook.keys})


@router.get("/agreement", dependencies=needs["admin"], responses=guarded(503))
def agreement(database: UseDatabase, codebook: UseCodebook) -> AgreementAnswer:
    """Krippendorff's alpha by frame, for frames and stances and for each pair of coders; disagreements to settle."""
    return stored_agreement(database, codebook)
