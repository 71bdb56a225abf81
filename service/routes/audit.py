"""/v1/audit: the log of actions."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from service.access.needs import needs
from service.http.dependencies import State
from service.routes import guarded
from service.schemas.audit import AuditAnswer, AuditLine
from service.store import audit
from service.tabular import MEDIA_TYPES, Column, stream

router = APIRouter(prefix="/v1/audit", tags=["audit"])

_COLUMNS = (
    Column("number", "whole"),
    Column("at", "moment"),
    Column("who", "text"),
    Column("key_id", "text"),
    Column("action", "text"),
    Column("subject", "text"),
    Column("detail", "text"),
    Column("sha256", "text"),
)


@router.get("", dependencies=needs["admin"], responses=guarded(422, 503))
def listing(
    state: State,
    action: Annotated[str | None, Query(max_length=32, description="Only of this action, such as `promote`.")] = None,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AuditAnswer:
    """Who did what and when, newest first. Each line's hash vouches for the line before."""
    with state.database.read() as connection:
        lines, following = audit.listing(connection, int(cursor) if cursor else None, limit, action)
    return AuditAnswer(
        lines=[AuditLine.model_validate(line, from_attributes=True) for line in lines],
        next=None if following is None else str(following),
    )


@router.get(
    "/export",
    dependencies=needs["admin"],
    response_class=StreamingResponse,
    responses={200: {"description": "A line an action, oldest first", "content": {"text/csv": {}}}, **guarded(503)},
)
def export(state: State) -> StreamingResponse:
    """The whole log as CSV, to be kept elsewhere."""
    rows = stream(_COLUMNS, audit.batches(state.database), "csv")
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return StreamingResponse(rows, media_type=MEDIA_TYPES["csv"], headers=headers)
