"""Pages of rows that are ordered by number, for lists that continue where the previous page ended."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select


def newest_page(
    connection: Connection, query: Select[Any], number: ColumnElement[int], after: int | None, limit: int
) -> tuple[Sequence[Row[Any]], int | None]:
    """Up to `limit` rows, the highest number first, and the number after which the next page starts, or None.

    `after` is that number of the previous page, None for the first page. The rows must have a column `number`.
    """
    if after is not None:
        query = query.where(number < after)
    rows = connection.execute(query.order_by(number.desc()).limit(limit + 1)).all()
    page = rows[:limit]
    return page, page[-1].number if len(rows) > limit else None
