"""/audit: the log of actions."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from service.http.dependencies import UseDatabase, needs
from service.http.paging import NUMBER_PATTERN, read_number_cursor, write_number_cursor
from service.pages.render import PageRoute, UseSite
from service.store import audit

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LINES_PER_PAGE = 100


@router.get("/audit", dependencies=needs["admin"])
def log(
    site: UseSite,
    database: UseDatabase,
    action: Annotated[str, Query(max_length=32)] = "",
    cursor: Annotated[str, Query(pattern=f"^$|{NUMBER_PATTERN}")] = "",
) -> HTMLResponse:
    """The log of actions, newest first."""
    with database.read() as connection:
        lines, following = audit.listing(connection, read_number_cursor(cursor), _LINES_PER_PAGE, action or None)
    return site.page("audit.html", "/audit", lines=lines, following=write_number_cursor(following), action=action)
