"""Kinds of fields that requests share. Pydantic lives in these modules and nowhere below."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

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
    """Pydantic would also read bare numbers, as seconds since 1970."""
    if not isinstance(value, str) or not _ISO_DAY.match(value):
        raise ValueError("must be an ISO 8601 date or time")
    return value


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 3.0 is the whole number 3."""
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


# The patterns are for readers of the OpenAPI document; the validators check, in linear time.
Text = Annotated[str, AfterValidator(_no_nul), Field(json_schema_extra={"pattern": NOT_BLANK})]
Name = Annotated[str, AfterValidator(_not_blank), Field(min_length=1, json_schema_extra={"pattern": NOT_BLANK})]
Moment = Annotated[datetime, Field(strict=False), BeforeValidator(_iso_text), AfterValidator(_in_utc)]
WHOLE = BeforeValidator(_whole)
Threshold = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Day = Annotated[date | datetime, BeforeValidator(_iso_text), AfterValidator(_day_in_utc)]


WholeDay = Annotated[date, BeforeValidator(_iso_text)]


def start_of(day: date | datetime) -> datetime:
    """The first moment that a date or time means."""
    return day if isinstance(day, datetime) else datetime.combine(day, time(), UTC)


def end_of(day: date | datetime) -> datetime:
    """The first moment after the day, or the time itself."""
    if isinstance(day, datetime):
        return day
    return datetime.max.replace(tzinfo=UTC) if day == date.max else start_of(day + timedelta(days=1))


class Strict(BaseModel):
    """A request: no unknown fields, and no guessing at types."""

    model_config = ConfigDict(extra="forbid", strict=True)
