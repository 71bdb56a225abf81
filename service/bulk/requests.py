"""From a record of a file to the request that scores or stores it; commands that score and store refuse the same."""

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from pydantic import ValidationError

from labels.errors import FramingError
from labels.reading.imprint import written_day
from service.articles.uploads import is_markup
from service.bulk.records import FACTS, FIELDS, TEXTS, Record
from service.schemas.articles import ArticleRequest

_SHOWN_FAULTS = 3
_SHOWN_CHARACTERS = 60


class RecordError(FramingError):
    """A record is not an article."""


def request_of(record: Record, **others: Any) -> ArticleRequest:
    """The request of a record; `others` are fields of it that the record lacks or may override, except its language.

    Raises `RecordError`, which names the columns at fault and what they hold.
    """
    if record.fault is not None:
        raise RecordError(record.fault)
    if not isinstance(record.fields, Mapping):
        raise RecordError("It is not an article: it is not a JSON object.")
    fields = {name: as_sent(name, record.fields[name]) for name in FIELDS if not is_empty(record.fields.get(name))}
    if not any(name in fields for name in TEXTS):
        raise RecordError(_no_text(record))
    if "html" not in fields and is_markup(fields.get("text")):
        # What editorial systems export as the text of an article is often a piece of its page.
        fields["html"] = fields.pop("text")
    try:
        return ArticleRequest(**{"explain": False, **others, **fields})
    except ValidationError as error:
        faults = "; ".join(_sentence(record, fault["loc"], fault["msg"]) for fault in error.errors()[:_SHOWN_FAULTS])
        raise RecordError(f"It is not an article: {faults}.") from error


def is_empty(value: Any) -> bool:
    """Whether a value stands for an empty cell."""
    # NaN is what pandas writes for an empty cell.
    is_nan = isinstance(value, float) and math.isnan(value)
    return value is None or is_nan or (isinstance(value, str) and not value.strip())


def as_sent(name: str, value: Any) -> Any:
    """A value as JSON has it: a column of Parquet may hold times, ids are often numbers, and dates written out."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if name == "published_at" and isinstance(value, str) and (day := written_day(value)) is not None:
        return day.isoformat()
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if name in FACTS and is_number else value


def _no_text(record: Record) -> str:
    columns = [column for field, column in record.columns.items() if field in TEXTS]
    if len(columns) == 1:
        return f"It has no text: the column '{columns[0]}' is empty."
    *some, last = columns or TEXTS
    return f"It has no text: {', '.join(some)} and {last} are empty or missing."


def _sentence(record: Record, place: tuple[int | str, ...], message: str) -> str:
    """What is wrong with a field: its column, if that has another name, and what it holds, if that is short."""
    wrong = message.removeprefix("Value error, ")
    if not place:
        return wrong
    field, name = str(place[0]), "/".join(map(str, place))
    column = record.columns.get(field, field)
    where = name if column == field else f"{column} ({name})"
    value = record.fields.get(field)
    shown = str(value)
    is_shown = field not in TEXTS and value is not None and len(shown) <= _SHOWN_CHARACTERS
    return f"{where}: {wrong}{f', and is {shown!r}' if is_shown else ''}"
