"""Answers about the log of actions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class AuditLine(BaseModel):
    """A line of the log: an action. `action` is any text, because older versions have logged other names."""

    number: int
    at: datetime
    who: str = Field(description="Name of the key; `local` if no key exists.")
    key_id: str | None
    action: str
    subject: str = Field(description="Id or version of the object of the action.")
    detail: Mapping[str, Any]
    sha256: str = Field(description="Hash over this line and the hash of the line before.")


class AuditAnswer(BaseModel):
    """A page of actions, newest first; `next` is the cursor of the following page, null on the last."""

    lines: list[AuditLine]
    next: str | None = None
