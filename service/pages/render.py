"""What all pages share: templates, navigation, error pages, and headers that allow no script from elsewhere."""

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, cast
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from labels.codebook import Codebook
from service.errors import UnauthorizedError
from service.http.body import BodyTimeoutError
from service.http.dependencies import GuardedRoute, current_caller
from service.http.problem_details import answer_error, problem_of
from service.metrics import product_version
from service.models.champion import Champion
from service.pages.article_view import FrameNames
from service.pages.assets import ChartFiles
from service.store.callers import Role

# Beside those that every answer has (see service/http/answer_headers.py).
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
}

# Address and name of each page, and the role that a caller needs to see it.
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

_FAULTS = "These parameters of the address cannot be used:"
_PYDANTIC_LEAD = re.compile(r"^(Value error, must|\w+ should)")


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages are made from: the codebook, the champion, and the charts."""

    codebook: Codebook
    champion: Champion
    charts: ChartFiles

    def page(self, template: str, here: str, status: int = 200, **context: Any) -> HTMLResponse:
        """Renders a template for the present caller; `here` is the address of the page in the navigation.

        Every template gets the frames of the codebook, and titles and places of frames by key.
        """
        caller = current_caller.get()
        content = _TEMPLATES.get_template(template).render(
            here=here,
            navigation=[(address, name) for address, name, role in NAVIGATION if caller.may(role)],
            product_version=product_version(),
            champion=self.champion.version(),
            frames=self.codebook.frames,
            titles=self.titles,
            places=self.places,
            cases_of=self.codebook.cases_of,
            visitor=caller,
            **context,
        )
        return HTMLResponse(content, status, SECURITY_HEADERS)

    @property
    def places(self) -> Mapping[str, int]:
        """The place of each frame in the codebook, by which style sheets know its colour."""
        return {key: place for place, key in enumerate(self.codebook.keys)}

    @property
    def frame_names(self) -> FrameNames:
        """Titles and places together, for `service.pages.article_view`."""
        return FrameNames(self.titles, self.places)

    @property
    def titles(self) -> Mapping[str, str]:
        """The title of each frame of the codebook and of the current model."""
        titles = {frame.key: frame.title for frame in self.codebook.frames}
        model = self.champion.current
        return titles if model is None else {**dict(model.card.frames), **titles}


async def _site(request: Request) -> Site:
    return cast(Site, request.app.state.site)


UseSite = Annotated[Site, Depends(_site)]


def frame_styles(colours: Sequence[str]) -> str:
    """A style sheet that gives each frame of the codebook its colour."""
    return "".join(f".frame-{place}{{--frame:{colour}}}\n" for place, colour in enumerate(colours))


class PageRoute(GuardedRoute):
    """A route that answers errors with pages, which have the status and the sentence that the API would answer."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except (ClientDisconnect, BodyTimeoutError):  # nobody is waiting for a page
                raise
            except Exception as error:  # noqa: BLE001 - a reader of pages gets a page, whatever happens
                if isinstance(error, UnauthorizedError) and request.method == "GET":
                    return _sign_in_first(request)
                return _error_page(request, error)

        return answer


def install(app: FastAPI) -> None:
    """Makes an address at which nothing is answer browsers with a page, and programs as before."""
    app.add_exception_handler(HTTPException, _nothing_there)


async def _nothing_there(request: Request, error: Exception) -> Response:
    api = request.url.path.startswith("/v1/")
    wants_page = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")
    return _error_page(request, error) if wants_page and not api else await answer_error(request, error)


def _sign_in_first(request: Request) -> Response:
    address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?{urlencode({'next': address})}", 303, SECURITY_HEADERS)


def _error_page(request: Request, error: Exception) -> HTMLResponse:
    problem = problem_of(request, error)
    site = cast(Site, request.app.state.site)
    context = {"title": problem.title, "detail": problem.detail, "faults": []}
    if isinstance(error, RequestValidationError):
        # It is about the address: the forms of the pages are not validated by the framework.
        context = {"title": "This address is not valid", "detail": _FAULTS, "faults": _faults_by_parameter(error)}
    return site.page("error.html", request.url.path, problem.status, **context)


def _faults_by_parameter(error: RequestValidationError) -> list[str]:
    """A sentence for each wrong parameter of an address.

    A parameter that may have several types has a fault for each of them, but only the first fault is useful.
    """
    faults: dict[str, str] = {}
    for fault in error.errors():
        parameter = str(fault["loc"][1])
        wrong_form = fault["type"] == "string_pattern_mismatch"  # its message is a regular expression
        requirement = _PYDANTIC_LEAD.sub("must", fault["msg"])
        faults.setdefault(parameter, "does not have the right form" if wrong_form else requirement)
    return [f"“{parameter}” {fault}." for parameter, fault in faults.items()]
