"""Templates to answers: what all pages share, and the headers that keep foreign script out of them."""

import logging
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from labels.errors import FramingError
from service import problems
from service.metrics import product_version
from service.state import Services

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

NAVIGATION: Sequence[tuple[str, str]] = (
    ("/", "Dashboard"),
    ("/classify", "Try it"),
    ("/articles", "Articles"),
    ("/coding", "Coding"),
    ("/models", "Models"),
    ("/codebook", "Codebook"),
    ("/docs", "API"),
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
        navigation=NAVIGATION,
        product_version=product_version(),
        champion=state.champion.version(),
        frames=state.codebook.frames,
        places=places(state),
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


class PageRoute(APIRoute):
    """A route whose errors are pages too: a reader of pages should not be shown JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                where = ", ".join(str(fault["loc"][1]) for fault in error.errors())
                return _error_page(request, 422, f"The address is not as it should be: look at {where}.")
            except HTTPException as error:
                return _error_page(request, error.status_code, str(error.detail))
            except OperationalError:
                return _error_page(request, 503, "The database cannot be used at the moment; nothing was changed.")
            except FramingError as error:
                return _error_page(request, status_of(error), str(error))
            except Exception as error:  # noqa: BLE001 - the last resort: nothing internal is shown
                identifier = uuid.uuid4().hex
                _log.error("Unexpected error %s at %s", identifier, request.url.path, exc_info=error)
                detail = f"Something unexpected went wrong. It is logged under the id {identifier}."
                return _error_page(request, 500, detail)

        return answer


def status_of(error: Exception) -> int:
    """The status by which the API answers an error of the table."""
    return next((kind.status for known, kind in problems.TABLE.items() if isinstance(error, known)), 500)


def _error_page(request: Request, status: int, detail: str) -> HTMLResponse:
    title = HTTPStatus(status).phrase
    return page(request.app.state.services, "error.html", request.url.path, status, title=title, detail=detail)
