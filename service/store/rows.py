"""Many rows of plain numbers and texts at once, handed to the driver as they are: SQLAlchemy would look at each."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError


def insert_rows(connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
    """Inserts rows with a value for every column, in the order of the table's columns.

    Not for columns whose values are of a kind that a driver does not know (`UtcDateTime`, `JSON`).
    """
    values = list(rows)
    if not values:
        return
    if connection.dialect.name == "postgresql":
        _copy(connection, table, values)
    else:
        connection.exec_driver_sql(_insertion(table), values)


def _copy(connection: Connection, table: Table, rows: list[tuple[Any, ...]]) -> None:
    """By PostgreSQL's COPY: a statement a row would take the driver twice as long.

    Raises what SQLAlchemy, which knows no COPY, would raise for a statement that failed.
    """
    driver: Any = connection.connection
    statement, fault = _copying(table), connection.dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except fault as error:
        lost = connection.dialect.is_disconnect(error, driver, None)
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            statement, None, error, fault, connection_invalidated=lost, dialect=connection.dialect
        ) from error


@cache
def _insertion(table: Table) -> str:
    return str(insert(table).compile(dialect=sqlite.dialect()))


@cache
def _copying(table: Table) -> str:
    return f"COPY {table.name} ({', '.join(column.name for column in table.columns)}) FROM STDIN"
