"""/v1/audit: the log of actions."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from service.http.dependencies import GuardedRoute, UseDatabase, needs
from service.http.paging import NumberCursor, read_number_cursor, write_number_cursor
from service.http.responses import guarded
from service.schemas.audit import AuditAnswer, AuditLine
from service.store import audit
from service.tabular import MEDIA_TYPES, Column, stream

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=GuardedRoute)

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
    database: UseDatabase,
    action: Annotated[audit.ActionName | None, Query(description="Only lines of this action.")] = None,
    cursor: NumberCursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AuditAnswer:
    """Who did what, and when; newest first. The hash of a line covers the line before it, so changes are detected."""
    with database.read() as connection:
        lines, following = audit.listing(connection, read_number_cursor(cursor), limit, action)
    return AuditAnswer(
        lines=[AuditLine.model_validate(line, from_attributes=True) for line in lines],
        next=write_number_cursor(following),
    )


@router.get(
    "/export",
    dependencies=needs["admin"],
    response_class=StreamingResponse,
    responses={200: {"description": "A line per action, oldest first", "content": {"text/csv": {}}}, **guarded(503)},
)
def export(database: UseDatabase) -> StreamingResponse:
    """The whole log as CSV, for a copy outside the service."""
    rows = stream(_COLUMNS, audit.batches(database), "csv")
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return StreamingResponse(rows, media_type=MEDIA_TYPES["csv"], headers=headers)
