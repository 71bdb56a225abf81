"""Problem details (RFC 9457): the one table that turns errors into answers."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from labels.errors import ArticleError, CodebookError, FramingError, LanguageError
from labels.exchange import ExchangeError
from service.errors import ForbiddenError, RateLimitedError, UnauthorizedError
from service.http.body import BodyError, BodyTimeoutError, BodyTooLargeError
from service.pages.names import ChartsError
from service.schemas.problems import FieldError, Problem
from service.store.audit import AuditError
from service.store.idempotency import IdempotencyKeyReusedError
from service.store.keys import NoSuchKeyError
from service.store.sql.database import DatabaseError
from training.errors import ModelFileError, NoChampionError, NoSuchVersionError, RegistryError, StorageError

MEDIA_TYPE = "application/problem+json"

_MOST_ROWS = 1000

UNION_TAGS = ("one-of-them", "list-of-them")
"""Tags by which pydantic tells a lone object from a list; they are no part of what was sent."""

_log = logging.getLogger("framing")


class NotFoundError(FramingError):
    """Nothing is stored under that id."""


class AnnotationError(FramingError):
    """A code cannot be stored as it is; `field` says where."""

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail)
        self.field = field


class NoSuchParagraphError(NotFoundError):
    """The code is of a paragraph that is not stored; `field` says where."""

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail)
        self.field = field


class OverlapError(FramingError):
    """Two sets of articles were to be compared that have some in common; `field` says where."""

    field = "query/b_outlet"


class ArticleTooLargeError(ArticleError):
    """The article is longer than the service takes."""


class UnknownFrameError(CodebookError):
    """A frame was named that the model does not have; `field` says where."""

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail)
        self.field = field


class Kind(NamedTuple):
    """How one kind of error is answered."""

    status: int
    slug: str
    title: str


# The first matching row counts, so special errors stand above general ones.
TABLE: dict[type[Exception], Kind] = {
    UnauthorizedError: Kind(401, "unauthorized", "A key is needed"),
    ForbiddenError: Kind(403, "forbidden", "The key does not allow this"),
    RateLimitedError: Kind(429, "rate-limited", "Too many requests"),
    NoSuchKeyError: Kind(404, "not-found", "There is no such thing here"),
    AuditError: Kind(500, "audit", "The log of actions was tampered with"),
    BodyTooLargeError: Kind(413, "too-large", "The request is too large"),
    ArticleTooLargeError: Kind(413, "too-large", "The request is too large"),
    BodyTimeoutError: Kind(408, "too-slow", "The request took too long to arrive"),
    BodyError: Kind(400, "unreadable-body", "The request body cannot be read"),
    LanguageError: Kind(422, "language-not-supported", "The model does not know this language"),
    ArticleError: Kind(422, "nothing-to-score", "The article cannot be scored"),
    UnknownFrameError: Kind(422, "unknown-frame", "There is no such frame"),
    AnnotationError: Kind(422, "annotation", "The annotation cannot be stored"),
    IdempotencyKeyReusedError: Kind(409, "idempotency-key-reused", "The Idempotency-Key was used before"),
    OverlapError: Kind(422, "overlap", "The two sets overlap"),
    NotFoundError: Kind(404, "not-found", "There is no such thing here"),
    NoSuchVersionError: Kind(404, "not-found", "There is no such thing here"),
    NoChampionError: Kind(503, "no-model", "No model is ready"),
    ChartsError: Kind(503, "no-charts", "The charts cannot be shown"),
    ModelFileError: Kind(503, "model-refused", "The model cannot be used"),
    StorageError: Kind(503, "storage-unavailable", "The place of the models cannot be used"),
    DatabaseError: Kind(503, "database-unavailable", "The database cannot be used"),
    OperationalError: Kind(503, "database-unavailable", "The database cannot be used"),
    ExchangeError: Kind(422, "unusable-file", "The file cannot be imported"),
    RegistryError: Kind(409, "registry-conflict", "The registry refuses"),
    CodebookError: Kind(422, "codebook", "The codebook does not allow this"),
}


def install(app: FastAPI) -> None:
    """Makes the application answer every error by this module."""
    for error in TABLE:
        app.add_exception_handler(error, answer_known)
    app.exception_handler(RequestValidationError)(_answer_invalid)
    app.exception_handler(HTTPException)(_answer_http)
    app.add_exception_handler(Exception, _answer_unexpected)


def _problem(path: str, kind: Kind, detail: str, errors: list[FieldError] | None = None) -> Problem:
    return Problem(
        type=f"urn:framing:problem:{kind.slug}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=path,
        errors=errors,
    )


def _answer(found: Problem, headers: dict[str, str] | None = None) -> Response:
    return Response(found.model_dump_json(exclude_none=True), found.status, media_type=MEDIA_TYPE, headers=headers)


def describe(path: str, error: Exception) -> Problem:
    """What is said of an error of the table."""
    kind = next(kind for known, kind in TABLE.items() if isinstance(error, known))
    if isinstance(error, OperationalError):
        _log.error("Database error: %s", error)
        detail = "The database cannot be used at the moment; nothing was stored."
    else:
        detail = str(error)
    field = getattr(error, "field", None)
    errors = None if field is None else [FieldError(pointer=_pointer(field), detail=detail)]
    if isinstance(error, ExchangeError):
        errors = [FieldError(pointer="", detail=row) for row in error.rows[:_MOST_ROWS]]
    return _problem(path, kind, detail, errors)


def describe_invalid(path: str, faults: Sequence[Mapping[str, Any]]) -> Problem:
    """What is said of a request that is not as documented, given what pydantic found."""
    errors = [_field_error(fault) for fault in faults[:20]]
    if errors and errors[0].pointer == "" and faults[0]["type"] == "json_invalid":
        return _problem(path, TABLE[BodyError], "The body is not valid JSON.", errors)
    where = ", ".join(dict.fromkeys(fault.pointer or "the body" for fault in errors))
    kind = Kind(422, "invalid-request", "The request is not as documented")
    return _problem(path, kind, f"These parts of the request are wrong: {where}.", errors)


def describe_unexpected(path: str, error: Exception) -> Problem:
    """What is said of an error that nobody foresaw: an id under which it is logged, and nothing of its inside."""
    identifier = uuid.uuid4().hex
    _log.error("Unexpected error %s at %s", identifier, path, exc_info=error)
    kind = Kind(500, "unexpected", "Something unexpected went wrong")
    return _problem(path, kind, f"It is logged under the id {identifier}; nothing else was changed.")


async def answer_known(request: Request, error: Exception) -> Response:
    """The answer to an error of the table."""
    found = describe(request.url.path, error)
    headers = {"Retry-After": "1"} if found.status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return _answer(found, getattr(error, "headers", headers))


def busy(path: str) -> Response:
    """The answer while too many requests are under way."""
    kind = Kind(503, "busy", "The service has too much to do")
    return _answer(
        _problem(path, kind, "Too many requests are under way; come back in a second."), {"Retry-After": "1"}
    )


def headers_too_large(path: str) -> Response:
    """The answer to a request whose headers are longer than any that means well."""
    kind = Kind(431, "headers-too-large", "The headers are too large")
    return _answer(_problem(path, kind, "Send at most 64 KiB of headers."))


def _pointer(field: str) -> str:
    return field if field.startswith(("query/", "path/", "header/")) else f"/{field}"


async def _answer_invalid(request: Request, error: RequestValidationError) -> Response:
    return _answer(describe_invalid(request.url.path, error.errors()))


def _field_error(fault: Mapping[str, Any]) -> FieldError:
    place, *path = fault["loc"]
    path = [step for step in path if step not in UNION_TAGS]
    if fault["type"] == "json_invalid":
        return FieldError(pointer="", detail=f"The body is not valid JSON: {fault['ctx']['error']}.")
    steps = "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)
    pointer = (f"/{steps}" if steps else "") if place == "body" else f"{place}/{steps}"
    return FieldError(pointer=pointer, detail=fault["msg"].removeprefix("Value error, "))


async def _answer_http(request: Request, error: HTTPException) -> Response:
    if isinstance(error.__cause__, BodyError):  # FastAPI turns whatever reading the body raises into a bare 400
        return await answer_known(request, error.__cause__)
    status = HTTPStatus(error.status_code)
    kind = Kind(status, status.phrase.lower().replace(" ", "-"), status.phrase)
    details = {
        404: "There is nothing at this address.",
        405: f"This address does not take {request.method}.",
        400: "The request body cannot be read.",
    }
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed_methods(request))
    detail = details.get(status, status.description or status.phrase)
    return _answer(_problem(request.url.path, kind, detail), headers)


def _allowed_methods(request: Request) -> list[str]:
    """Every method of the address; the framework itself names those of its first route only."""
    paths = request.app.openapi()["paths"]
    matching = [template for template in paths if compile_path(template)[0].match(request.url.path)]
    exact = [template for template in matching if template == request.url.path] or matching
    return sorted(method.upper() for template in exact for method in paths[template])


async def _answer_unexpected(request: Request, error: Exception) -> Response:
    return _answer(describe_unexpected(request.url.path, error))
