"""Problem details (RFC 9457) and health over HTTP."""

from typing import Literal

from pydantic import BaseModel


class Health(BaseModel):
    """The service is up, or ready."""

    status: Literal["ok"]


class FieldError(BaseModel):
    """What is wrong with one field. The pointer is a JSON pointer into the body, or `query/…`, `path/…`, `header/…`."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] | None = None
