"""/audit: who did what and when."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from service.access.needs import needs
from service.http.dependencies import State
from service.pages.render import PageRoute, page
from service.store import audit

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_A_PAGE = 100


@router.get("/audit", dependencies=needs["admin"])
def log(
    state: State,
    action: Annotated[str, Query(max_length=32)] = "",
    cursor: Annotated[str, Query(pattern=r"^[0-9]{0,18}$")] = "",
) -> HTMLResponse:
    """The log of actions, newest first."""
    with state.database.read() as connection:
        lines, following = audit.listing(connection, int(cursor) if cursor else None, _A_PAGE, action or None)
    return page(state, "audit.html", "/audit", lines=lines, following=following, action=action)
