"""What all pages share: templates, navigation, error pages, and headers that allow no script from elsewhere."""

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any, cast
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from labels.codebook import Codebook
from labels.wording import counted
from service.access.origin import SAFE_METHODS
from service.errors import UnauthorizedError
from service.http.body import BodyTimeoutError
from service.http.dependencies import GuardedRoute, current_caller
from service.http.places import BusyError
from service.http.problem_details import answer_error, busy, problem_of
from service.metrics import product_version
from service.models.champion import Champion
from service.pages.article_view import FrameNames
from service.pages.assets import ChartFiles
from service.pages.explained import explanation_of
from service.prevalence.file_names import chart_file_name
from service.store.callers import Caller, Role

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

# Pages that stand under the same entry of the navigation, by its address: each shows them all as tabs.
TABS: Mapping[str, Sequence[tuple[str, str, Role]]] = {
    "/coding": (
        ("/coding", "Annotate", "coder"),
        ("/coding/disagreements", "Disagreements", "admin"),
        ("/coding/desk", "Coders", "admin"),
        ("/coding/assignments", "Assignments", "coder"),
    ),
}


def _permitted(places: Sequence[tuple[str, str, Role]], caller: Caller) -> list[tuple[str, str]]:
    return [(address, name) for address, name, role in places if caller.may(role)]


def _entry_of(here: str) -> str:
    """The address of the entry of the navigation under which a page stands; its own if there is none."""
    return next((entry for entry, _, _ in NAVIGATION[1:] if f"{here}/".startswith(f"{entry}/")), here)


def _percent(share: float | None, digits: int = 0) -> str:
    return "–" if share is None else f"{share:.{digits}%}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def day_in_words(moment: date | str | None) -> str:
    """A date as all pages write it, such as “3 March 2026”; a text is in ISO 8601."""
    if moment is None or moment == "":
        return "undated"
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{at.day} {at:%B %Y}"


def _moment(moment: datetime | None) -> str:
    """A time, such as “3 March 2026, 14:05”: in UTC, as the footer of every page says."""
    return "–" if moment is None else f"{day_in_words(moment)}, {moment:%H:%M}"


def _with_code(sentence: str) -> Markup:
    """A sentence for a page: what stands between backticks, as messages write commands, is set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(sentence))))  # noqa: S704 - escaped


_TEMPLATES = Environment(
    loader=PackageLoader("service.pages"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"percent": _percent, "figure": _figure, "day": day_in_words, "moment": _moment}
_TEMPLATES.filters |= {"counted": counted, "with_code": _with_code}
_TEMPLATES.globals |= {"explanation_of": explanation_of, "chart_file": chart_file_name, "counted": counted}
# A template need not import it.
_TEMPLATES.globals["explained"] = _TEMPLATES.get_template("macros.html").module.explained  # type: ignore[attr-defined]

# What may be otherwise in a moment.
_TEMPORARY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_FAULTS = "These parameters of the address cannot be used:"
_PYDANTIC_LEAD = re.compile(r"^(Value error, must|\w+ should)")


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages are made from: the codebook, the champion, and the charts."""

    codebook: Codebook
    champion: Champion
    charts: ChartFiles

    def page(self, template: str, here: str, status: int = 200, **context: Any) -> HTMLResponse:
        """Renders a template for the present caller; `here` is the address of the page.

        Every template gets the frames of the codebook, and titles and places of frames by key.
        """
        caller = current_caller.get()
        content = _TEMPLATES.get_template(template).render(
            here=here,
            navigation=_permitted(NAVIGATION, caller),
            entry=_entry_of(here),
            tabs=_permitted(TABS.get(_entry_of(here), ()), caller),
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
    app.add_exception_handler(HTTPException, answer_in_kind)


def answer_busy(request: Request) -> Response:
    """The answer while too many requests are in progress: a page for browsers, problem details for programs."""
    return _error_page(request, BusyError()) if _wants_page(request) else busy(request.url.path)


async def answer_in_kind(request: Request, error: Exception) -> Response:
    """The answer to an error outside of all pages: a page if a browser wants to show it, else problem details."""
    return _error_page(request, error) if _wants_page(request) else await answer_error(request, error)


def _wants_page(request: Request) -> bool:
    shows_pages = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")
    return shows_pages and not request.url.path.startswith("/v1/")


def _sign_in_first(request: Request) -> Response:
    return RedirectResponse(f"/sign-in?{urlencode({'next': _address_of(request)})}", 303, SECURITY_HEADERS)


def _address_of(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _error_page(request: Request, error: Exception) -> HTMLResponse:
    problem = problem_of(request, error)
    site = cast(Site, request.app.state.site)
    title = (
        "Nothing is here"
        if isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND
        else problem.title
    )
    context: dict[str, Any] = {"title": title, "detail": problem.detail, "faults": []}
    if isinstance(error, RequestValidationError):
        # It is about the address: the forms of the pages are not validated by the framework.
        context = {"title": "This address is not valid", "detail": _FAULTS, "faults": _faults_by_parameter(error)}
    # A form that was sent is not sent again by a link: its page is opened instead.
    again = _address_of(request) if request.method in SAFE_METHODS else request.url.path
    context |= {"kind": problem.type.rpartition(":")[2], "code": problem.status, "again": again}
    page = site.page("error.html", request.url.path, problem.status, path=request.url.path, **context)
    if problem.status in _TEMPORARY:
        page.headers.update(getattr(error, "headers", None) or {"Retry-After": "1"})
    return page


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
