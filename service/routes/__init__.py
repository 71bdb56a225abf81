"""The REST API, one module a resource."""

from typing import Any

from service.problems import MEDIA_TYPE
from service.schemas.problems import Problem

Responses = dict[int | str, dict[str, Any]]
"""Answers of a route by status, as FastAPI documents them."""


def problems(*statuses: int) -> Responses:
    """The error answers of a route, for the OpenAPI document."""
    descriptions = {
        400: "The body cannot be read",
        404: "No such thing",
        406: "No such representation",
        409: "Conflict with the present state",
        413: "Too large",
        422: "Not as documented, or nothing to score",
        503: "No model or no database",
    }
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        status: {"description": descriptions[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }
