"""Types of fields that several requests share."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

# Without anchors, for addresses of routes.
ID = "[0-9a-f]{32}"
VERSION = "v[1-9][0-9]{0,8}"
ID_PATTERN = f"^{ID}$"
VERSION_PATTERN = f"^{VERSION}$"
VERSION_OR_CHAMPION_PATTERN = f"^(champion|{VERSION})$"

NOT_BLANK = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain the character NUL")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return _no_nul(text)


def _iso_text(value: Any) -> Any:
    """Rejects numbers, which pydantic would read as seconds since 1970."""
    if not isinstance(value, str) or not _ISO_DAY.match(value):
        raise ValueError("must be an ISO 8601 date or time")
    return value


def _whole(value: Any) -> Any:
    """Accepts 3.0 as 3, because JSON does not distinguish whole numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from None


def _day_in_utc(day: date | datetime) -> date | datetime:
    return _in_utc(day) if isinstance(day, datetime) else day


# The patterns are only for the OpenAPI document; the validators do the checks, in linear time.
Text = Annotated[str, AfterValidator(_no_nul), Field(json_schema_extra={"pattern": NOT_BLANK})]
Name = Annotated[str, AfterValidator(_not_blank), Field(min_length=1, json_schema_extra={"pattern": NOT_BLANK})]
Moment = Annotated[datetime, Field(strict=False), BeforeValidator(_iso_text), AfterValidator(_in_utc)]
WHOLE = BeforeValidator(_whole)
Threshold = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
# Which articles a figure counts: `on_subject` leaves out those that are about something else than the codebook.
Articles = Literal["all_articles", "on_subject"]
Day = Annotated[date | datetime, BeforeValidator(_iso_text), AfterValidator(_day_in_utc)]
WholeDay = Annotated[date, BeforeValidator(_iso_text)]


class Strict(BaseModel):
    """A request that rejects unknown fields and does not convert types."""

    model_config = ConfigDict(extra="forbid", strict=True)
