"""Answers about problems (RFC 9457) and health."""

from typing import Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """The service is up, or ready."""

    status: Literal["ok"]


class Readiness(Health):
    """The service is ready. Its worker may still be dead: the service then classifies, stores and answers."""

    worker: str = Field(
        pattern=r"^(off|running|not running since .+)$",
        description="The worker, which trains and rescores: `running` on this or another host, `not running since` the "
        "time at which this server process noticed, or `off` if this server starts none.",
    )


class FieldError(BaseModel):
    """The fault of a field. The pointer is a JSON pointer into the body, or `query/…`, `path/…`, `header/…`."""

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
