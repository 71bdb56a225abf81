"""Cursors of lists: `next` of a page is the `cursor` of the page after it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query

from service.store.article_list import Cursor

_DESCRIPTION = "The `next` of the previous page."
NUMBER_PATTERN = r"^[0-9]{1,18}$"
ARTICLE_PATTERN = r"^[0-9]{1,18}-[0-9]{1,18}$"

# For lists that are ordered by number, and for the list of articles, which is ordered by date and number.
NumberCursor = Annotated[str | None, Query(pattern=NUMBER_PATTERN, description=_DESCRIPTION)]
ArticleCursor = Annotated[str | None, Query(pattern=ARTICLE_PATTERN, description=_DESCRIPTION)]

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


def read_number_cursor(cursor: str | None) -> int | None:
    """The number after which the page begins; None for the first page."""
    return int(cursor) if cursor else None


def write_number_cursor(number: int | None) -> str | None:
    """The cursor of the next page; None after the last."""
    return None if number is None else str(number)


def read_article_cursor(cursor: str | None) -> Cursor | None:
    """The article after which the page begins; None for the first page."""
    if not cursor:
        return None
    microseconds, number = map(int, cursor.split("-"))
    return Cursor(_FIRST + min(timedelta(microseconds=microseconds), _LAST - _FIRST), number)


def write_article_cursor(cursor: Cursor | None) -> str | None:
    """The cursor of the next page; None after the last."""
    return None if cursor is None else f"{(cursor.dated_at - _FIRST) // timedelta(microseconds=1)}-{cursor.number}"
