"""The error answers of routes, for the OpenAPI document."""

from typing import Any

from service.http.problem_details import MEDIA_TYPE
from service.schemas.problems import Problem

# Answers of a route by status, as FastAPI documents them.
Responses = dict[int | str, dict[str, Any]]


def problems(*statuses: int) -> Responses:
    """The error answers of a route, for the OpenAPI document."""
    descriptions = {
        400: "The body cannot be read",
        401: "No valid key",
        403: "The key does not allow this",
        404: "Not found",
        406: "No such representation",
        409: "Conflict with the current state",
        413: "Too large",
        408: "The body did not arrive in time",
        421: "Sent to a name that this server does not have",
        422: "Not as documented, or nothing to score",
        429: "Too many requests with this key",
        503: "No model, no database, or overload",
    }
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        status: {"description": descriptions[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def guarded(*statuses: int) -> Responses:
    """The error answers of a route that needs a role; 422 because it refuses unknown parameters."""
    slow = (408,) if 413 in statuses else ()
    return problems(*sorted({*statuses, *slow, 401, 403, 421, 422, 429, 503}))
