"""The log of actions over HTTP."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class AuditLine(BaseModel):
    """An action."""

    number: int
    at: datetime
    who: str = Field(description="Name of the key; `local` where there are no keys.")
    key_id: str | None
    action: str
    subject: str = Field(description="What it was done to: an id, a version.")
    detail: Mapping[str, Any]
    sha256: str = Field(description="Over this line and the hash of the line before.")


class AuditAnswer(BaseModel):
    """Actions, newest first; `next` is the cursor of the following page."""

    lines: list[AuditLine]
    next: str | None = None
