"""/v1/scores: every score of a population, as a file."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from service.http.dependencies import GuardedRoute, UseDatabase, needs
from service.http.responses import guarded
from service.prevalence.labels import labelled_paragraphs
from service.routes.prevalence import UseScope
from service.store import scores
from service.tabular import MEDIA_TYPES, Format, stream

router = APIRouter(prefix="/v1", tags=["prevalence"], route_class=GuardedRoute)


@router.get(
    "/scores",
    dependencies=needs["reader"],
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A row per paragraph and frame, oldest article first",
            "content": {media_type.split(";")[0]: {} for media_type in MEDIA_TYPES.values()},
        },
        **guarded(409, 422, 503),
    },
)
def export(
    scope: UseScope,
    database: UseDatabase,
    file_format: Annotated[Format, Query(alias="format", description="Format of the file.")] = "csv",
) -> StreamingResponse:
    """All scores of paragraphs by the champion, with the labels of coders, as a stream of any length.

    `label` is the share of the coders who saw the frame, null where nobody decided about it. `inclusion_probability` is
    the probability with which the paragraph came to be annotated; null where somebody chose it. `corrects` says that a
    label corrects the scores: the paragraph was drawn, and the model was not trained on it.
    """
    queried_at = datetime.now(UTC)
    with database.read() as connection:
        labelled = labelled_paragraphs(connection, scope.population, scope.card)
    rows = stream(scores.COLUMNS, scores.batches(database, scope.population, labelled, queried_at), file_format)
    disposition = f'attachment; filename="scores.{file_format}"'
    return StreamingResponse(rows, media_type=MEDIA_TYPES[file_format], headers={"Content-Disposition": disposition})
