"""Templates to answers: what all pages share, and the headers that keep foreign script out of them."""

import logging
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from labels.errors import FramingError
from service.access.needs import GuardedRoute, present_caller
from service.errors import UnauthorizedError
from service.http import problem_details
from service.http.dependencies import Services
from service.metrics import product_version
from service.store.callers import Role

_log = logging.getLogger("framing")

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

NAVIGATION: Sequence[tuple[str, str, Role]] = (
    ("/", "Dashboard", "reader"),
    ("/classify", "Try it", "submitter"),
    ("/articles", "Articles", "reader"),
    ("/coding", "Coding", "coder"),
    ("/models", "Models", "reader"),
    ("/codebook", "Codebook", "reader"),
    ("/audit", "Log", "admin"),
    ("/docs", "API", "reader"),
)


def _percent(share: float | None, digits: int = 0) -> str:
    return "–" if share is None else f"{share:.{digits}%}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _day(moment: datetime | None) -> str:
    return "undated" if moment is None else f"{moment.day} {moment:%B %Y}"


def _moment(moment: datetime | None) -> str:
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


_TEMPLATES = Environment(
    loader=PackageLoader("service.pages"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"percent": _percent, "figure": _figure, "day": _day, "moment": _moment}


def page(state: Services, template: str, here: str, status: int = 200, **context: Any) -> HTMLResponse:
    """The page of a template; `here` is its address in the navigation."""
    content = _TEMPLATES.get_template(template).render(
        here=here,
        navigation=[(address, name) for address, name, role in NAVIGATION if present_caller.get().may(role)],
        product_version=product_version(),
        champion=state.champion.version(),
        frames=state.codebook.frames,
        places=places(state),
        visitor=present_caller.get(),
        **context,
    )
    return HTMLResponse(content, status, SECURITY_HEADERS)


def frame_styles(colours: Sequence[str]) -> str:
    """A style sheet that gives each frame of the codebook its colour."""
    return "".join(f".frame-{place}{{--frame:{colour}}}\n" for place, colour in enumerate(colours))


def places(state: Services) -> Mapping[str, int]:
    """Place of each frame in the codebook, by which style sheets know its colour."""
    return {key: place for place, key in enumerate(state.codebook.keys)}


def titles(state: Services) -> Mapping[str, str]:
    """Title of each frame, of the codebook and of the model in use."""
    known = {frame.key: frame.title for frame in state.codebook.frames}
    if state.champion.version() is None:
        return known
    return {**dict(state.champion.model().card.frames), **known}


class PageRoute(GuardedRoute):
    """A route whose errors are pages too: a reader of pages should not be shown JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except UnauthorizedError as error:
                return _sign_in_first(request) if request.method == "GET" else _error_page(request, 401, str(error))
            except Exception as error:  # noqa: BLE001 - the last resort: nothing internal is shown
                return _error_page(request, *_said_of(request, error))

        return answer


def _sign_in_first(request: Request) -> Response:
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?{urlencode({'next': asked})}", 303, SECURITY_HEADERS)


def _said_of(request: Request, error: Exception) -> tuple[int, str]:
    """Status and sentence of an error."""
    if isinstance(error, RequestValidationError):
        where = ", ".join(str(fault["loc"][1]) for fault in error.errors())
        return 422, f"The address is not as it should be: look at {where}."
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail)
    if isinstance(error, OperationalError):
        return 503, "The database cannot be used at the moment; nothing was changed."
    if isinstance(error, FramingError):
        return status_of(error), str(error)
    identifier = uuid.uuid4().hex
    _log.error("Unexpected error %s at %s", identifier, request.url.path, exc_info=error)
    return 500, f"Something unexpected went wrong. It is logged under the id {identifier}."


def status_of(error: Exception) -> int:
    """The status by which the API answers an error of the table."""
    return next((kind.status for known, kind in problem_details.TABLE.items() if isinstance(error, known)), 500)


def _error_page(request: Request, status: int, detail: str) -> HTMLResponse:
    title = HTTPStatus(status).phrase
    return page(request.app.state.services, "error.html", request.url.path, status, title=title, detail=detail)
