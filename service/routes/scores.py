"""/v1/scores: every score of a range of articles, as one file."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from service.access.needs import needs
from service.http.dependencies import State
from service.routes import guarded
from service.routes.prevalence import About
from service.store import scores
from service.tabular import MEDIA_TYPES, Format, stream

router = APIRouter(prefix="/v1", tags=["prevalence"])


@router.get(
    "/scores",
    dependencies=needs["reader"],
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One row a paragraph and frame, oldest article first",
            "content": {media_type.split(";")[0]: {} for media_type in MEDIA_TYPES.values()},
        },
        **guarded(422, 503),
    },
)
def export(
    about: About,
    state: State,
    file_format: Annotated[Format, Query(alias="format", description="Kind of file.")] = "csv",
) -> StreamingResponse:
    """All paragraph scores of a selection, by the model in use, streamed however many they are."""
    rows = stream(scores.COLUMNS, scores.batches(state.database, about.selection), file_format)
    disposition = f'attachment; filename="scores.{file_format}"'
    return StreamingResponse(rows, media_type=MEDIA_TYPES[file_format], headers={"Content-Disposition": disposition})
