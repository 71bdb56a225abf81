"""Many rows of plain numbers and texts at once, handed to the driver as they are: SQLAlchemy would look at each."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite


def insert_rows(connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
    """Inserts rows with a value for every column, in the order of the table's columns.

    Not for columns whose values are of a kind that a driver does not know (`UtcDateTime`, `JSON`).
    """
    values = list(rows)
    if values:
        connection.exec_driver_sql(_statement(table, connection.dialect.name), values)


@cache
def _statement(table: Table, database: str) -> str:
    with_places = postgresql.dialect(paramstyle="format") if database == "postgresql" else sqlite.dialect()  # type: ignore[no-untyped-call]
    return str(insert(table).compile(dialect=with_places))
