"""Problem details (RFC 9457): the table that turns errors into answers of the API and of the pages."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from labels.errors import ArticleError, CodebookError, ExchangeError, LanguageError
from service.errors import (
    AnnotationError,
    ArticleTooLargeError,
    AssignmentError,
    AuditError,
    ChartsError,
    ConflictError,
    DatabaseError,
    ForbiddenError,
    ForwardedError,
    IdempotencyKeyReusedError,
    MisdirectedError,
    NoSubjectError,
    NotFoundError,
    OverlapError,
    PeriodError,
    RateLimitedError,
    SameModelError,
    UnauthorizedError,
    UnknownFrameError,
)
from service.http.answer_headers import complete
from service.http.body import BodyError, BodyTimeoutError, BodyTooLargeError, UploadError
from service.http.places import BusyError
from service.schemas.problems import FieldError, Problem
from service.store.sql.database import UNANSWERED
from training.errors import (
    ModelFileError,
    NoChampionError,
    NoSuchVersionError,
    RegistryError,
    ScoringStoppedError,
    ScoringTooSlowError,
    StorageError,
    UnusedHyperparametersError,
)

MEDIA_TYPE = "application/problem+json"

# Nobody receives it; metrics count it apart from what went wrong here, as those of nginx do.
CLIENT_LEFT = 499
_MAX_ROWS = 1000
_MAX_FIELDS = 20

# Tags by which pydantic distinguishes an object from a list of objects; they are not part of the request.
UNION_TAGS = ("single", "several")

_log = logging.getLogger("framing")


class ProblemType(NamedTuple):
    """The status, the type and the title of a problem."""

    status: int
    slug: str
    title: str


# The first matching row counts, so special errors stand above general ones.
TABLE: dict[type[Exception], ProblemType] = {
    UnauthorizedError: ProblemType(401, "unauthorized", "A key is needed"),
    ForbiddenError: ProblemType(403, "forbidden", "The key does not allow this"),
    ForwardedError: ProblemType(403, "forwarded", "Without keys, no proxy may forward requests"),
    MisdirectedError: ProblemType(421, "misdirected", "This server does not have that name"),
    RateLimitedError: ProblemType(429, "rate-limited", "Too many requests"),
    AuditError: ProblemType(500, "audit", "The log of actions was tampered with"),
    BusyError: ProblemType(503, "busy", "The service is overloaded"),
    BodyTooLargeError: ProblemType(413, "too-large", "The request is too large"),
    ArticleTooLargeError: ProblemType(413, "too-large", "The request is too large"),
    BodyTimeoutError: ProblemType(408, "too-slow", "The request took too long to arrive"),
    UploadError: ProblemType(422, "unreadable-file", "The file cannot be read"),
    BodyError: ProblemType(400, "unreadable-body", "The request body cannot be read"),
    LanguageError: ProblemType(422, "language-not-supported", "The model does not know this language"),
    ArticleError: ProblemType(422, "nothing-to-score", "The article cannot be scored"),
    UnknownFrameError: ProblemType(422, "unknown-frame", "There is no such frame"),
    AnnotationError: ProblemType(422, "annotation", "The annotation cannot be stored"),
    AssignmentError: ProblemType(422, "assignment", "The assignment cannot be made"),
    UnusedHyperparametersError: ProblemType(409, "unused-hyperparameters", "Hyperparameters would have no effect"),
    IdempotencyKeyReusedError: ProblemType(409, "idempotency-key-reused", "The Idempotency-Key was used before"),
    ConflictError: ProblemType(409, "conflict", "Another article is stored under this id"),
    OverlapError: ProblemType(422, "overlap", "The two sets overlap"),
    PeriodError: ProblemType(422, "period", "The period ends before it begins"),
    NoSubjectError: ProblemType(409, "no-subject", "The model cannot tell what an article is about"),
    SameModelError: ProblemType(409, "same-model", "There is nothing to compare"),
    NotFoundError: ProblemType(404, "not-found", "Not stored here"),
    NoSuchVersionError: ProblemType(404, "not-found", "Not stored here"),
    NoChampionError: ProblemType(503, "no-model", "No model is ready"),
    ScoringTooSlowError: ProblemType(503, "scoring-too-slow", "Scoring took too long"),
    ScoringStoppedError: ProblemType(CLIENT_LEFT, "client-left", "The client left"),
    ChartsError: ProblemType(503, "no-charts", "The charts cannot be shown"),
    ModelFileError: ProblemType(503, "model-refused", "The model cannot be used"),
    StorageError: ProblemType(503, "storage-unavailable", "The model storage cannot be used"),
    DatabaseError: ProblemType(503, "database-unavailable", "The database cannot be used"),
    **dict.fromkeys(UNANSWERED, ProblemType(503, "database-unavailable", "The database cannot be used")),
    ExchangeError: ProblemType(422, "unusable-file", "The file cannot be imported"),
    RegistryError: ProblemType(409, "registry-conflict", "The registry refused the change"),
    CodebookError: ProblemType(422, "codebook", "The codebook does not allow this"),
}


def install(app: FastAPI) -> None:
    """Makes the application answer every error with problem details."""
    for error in TABLE:
        app.add_exception_handler(error, answer_error)
    app.add_exception_handler(RequestValidationError, answer_error)
    app.add_exception_handler(HTTPException, answer_error)
    app.add_exception_handler(Exception, answer_error)


async def answer_error(request: Request, error: Exception) -> Response:
    """The answer to an error that a route raised."""
    problem = problem_of(request, error)
    answer = _answer(problem, _headers(request, error, problem.status))
    # The framework answers what nobody expected outside of all middleware.
    answer.raw_headers = complete(answer.raw_headers)
    return answer


def problem_of(request: Request, error: Exception) -> Problem:
    """The problem that describes an error, expected or not."""
    if isinstance(error, HTTPException) and isinstance(error.__cause__, BodyError):
        error = error.__cause__  # FastAPI turns whatever reading the body raises into a bare 400
    return _http_problem(request, error) if isinstance(error, HTTPException) else describe(request.url.path, error)


def describe(path: str, error: Exception) -> Problem:
    """Like `problem_of`, for a line of a batch, which is not a request."""
    if isinstance(error, RequestValidationError):
        return describe_invalid(path, error.errors())
    known = next((known for cls, known in TABLE.items() if isinstance(error, cls)), None)
    if known is None:
        return _unexpected(path, error)
    detail = str(error)
    if isinstance(error, UNANSWERED):
        _log.error("Database error: %s", error)
        detail = "The database cannot be used at the moment; nothing was stored."
    field = getattr(error, "field", None)
    errors = None if field is None else [FieldError(pointer=_pointer(field), detail=detail)]
    if isinstance(error, ExchangeError):
        errors = [FieldError(pointer="", detail=row) for row in error.rows[:_MAX_ROWS]]
    return _problem(path, known, detail, errors)


def describe_invalid(path: str, faults: Sequence[Mapping[str, Any]]) -> Problem:
    """The problem of a request that is not as documented, from the faults that pydantic reports."""
    errors = [_field_error(fault) for fault in faults[:_MAX_FIELDS]]
    if errors and errors[0].pointer == "" and faults[0]["type"] == "json_invalid":
        return _problem(path, TABLE[BodyError], "The body is not valid JSON.", errors)
    where = ", ".join(dict.fromkeys(fault.pointer or "the body" for fault in errors))
    problem_type = ProblemType(422, "invalid-request", "The request is not as documented")
    return _problem(path, problem_type, f"These parts of the request are wrong: {where}.", errors)


def busy(path: str) -> Response:
    """The answer while too many requests are in progress."""
    return _answer(describe(path, BusyError()), {"Retry-After": "1"})


def headers_too_large(path: str) -> Response:
    """The answer to a request whose headers are too long."""
    problem_type = ProblemType(431, "headers-too-large", "The headers are too large")
    return _answer(_problem(path, problem_type, "Send at most 64 KiB of headers."))


def _problem(path: str, kind: ProblemType, detail: str, errors: list[FieldError] | None = None) -> Problem:
    return Problem(
        type=f"urn:framing:problem:{kind.slug}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=path,
        errors=errors,
    )


def _answer(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    content = problem.model_dump_json(exclude_none=True)
    # An unexpected error is answered outside of the middleware that gives all answers these headers.
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", **(headers or {})}
    return Response(content, problem.status, media_type=MEDIA_TYPE, headers=headers)


def _headers(request: Request, error: Exception, status: int) -> dict[str, str] | None:
    headers: Mapping[str, str] | None = getattr(error, "headers", None)
    if isinstance(error, HTTPException) and status == HTTPStatus.METHOD_NOT_ALLOWED:
        return {**(headers or {}), "Allow": ", ".join(_allowed_methods(request))}
    if headers is None and status == HTTPStatus.SERVICE_UNAVAILABLE:
        return {"Retry-After": "1"}
    return None if headers is None else dict(headers)


def _unexpected(path: str, error: Exception) -> Problem:
    """The problem of an unexpected error: it names the id in the log and no internals."""
    identifier = uuid.uuid4().hex
    _log.error("Unexpected error %s at %s", identifier, path, exc_info=error)
    problem_type = ProblemType(500, "unexpected", "Something unexpected went wrong")
    return _problem(path, problem_type, f"The error is logged under the id {identifier}.")


def _http_problem(request: Request, error: HTTPException) -> Problem:
    status = HTTPStatus(error.status_code)
    problem_type = ProblemType(status, status.phrase.lower().replace(" ", "-"), status.phrase)
    details = {
        404: "There is nothing at this address.",
        405: f"This address does not accept {request.method}.",
        400: "The request body cannot be read.",
    }
    return _problem(request.url.path, problem_type, details.get(status, status.description or status.phrase))


def _pointer(field: str) -> str:
    return field if field.startswith(("query/", "path/", "header/")) else f"/{field}"


def _field_error(fault: Mapping[str, Any]) -> FieldError:
    place, *path = fault["loc"]
    path = [step for step in path if step not in UNION_TAGS]
    if fault["type"] == "json_invalid":
        return FieldError(pointer="", detail=f"The body is not valid JSON: {fault['ctx']['error']}.")
    if place == "body" and isinstance(fault.get("input"), bytes):
        return FieldError(pointer="", detail="Send JSON with the header `Content-Type: application/json`.")
    steps = "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)
    pointer = (f"/{steps}" if steps else "") if place == "body" else f"{place}/{steps}"
    return FieldError(pointer=pointer, detail=fault["msg"].removeprefix("Value error, "))


def _allowed_methods(request: Request) -> list[str]:
    """Every method of the address; the framework names only those of the first route that matches."""
    paths = request.app.openapi()["paths"]
    matching = [template for template in paths if compile_path(template)[0].match(request.url.path)]
    exact = [template for template in matching if template == request.url.path] or matching
    return sorted(method.upper() for template in exact for method in paths[template])
