"""The REST API, one module a resource."""

from typing import Any

from starlette.convertors import Convertor, register_url_convertor

from service.http.problem_details import MEDIA_TYPE
from service.schemas.problems import Problem


class _Name(Convertor[str]):
    """A part of an address that is given as it is written."""

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _Id(_Name):
    regex = "[0-9a-f]{32}"


class _Version(_Name):
    regex = "v[1-9][0-9]{0,8}"


class _VersionOrChampion(_Name):
    regex = "champion|v[1-9][0-9]{0,8}"


# Addresses such as /v1/annotations/export stand beside /v1/annotations/{id} and must not be taken for an id.
register_url_convertor("id", _Id())
register_url_convertor("version", _Version())
register_url_convertor("model", _VersionOrChampion())

Responses = dict[int | str, dict[str, Any]]
"""Answers of a route by status, as FastAPI documents them."""


def problems(*statuses: int) -> Responses:
    """The error answers of a route, for the OpenAPI document."""
    descriptions = {
        400: "The body cannot be read",
        401: "No key that works",
        403: "The key does not allow this",
        404: "No such thing",
        406: "No such representation",
        409: "Conflict with the present state",
        413: "Too large",
        408: "The body did not arrive in time",
        422: "Not as documented, or nothing to score",
        429: "The key made too many requests",
        503: "No model, no database, or too much to do",
    }
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        status: {"description": descriptions[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def guarded(*statuses: int) -> Responses:
    """The error answers of a route that needs a role."""
    slow = (408,) if 413 in statuses else ()
    return problems(*sorted({*statuses, *slow, 401, 403, 429, 503}))
