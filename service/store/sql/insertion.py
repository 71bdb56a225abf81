"""Inserts many rows at once. They go straight to the driver, because SQLAlchemy would process each row.

PostgreSQL receives all rows of all tables in a single statement, as JSON: a round trip costs a wait, during which other
threads take the interpreter's lock. The statement does not depend on the number of rows, so it is prepared once.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    String,
    Table,
    TypeDecorator,
    any_,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

_SQLITE: Dialect = sqlite.dialect()
_POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]

# Rows with a value for every column of their table, in its order.
Rows: TypeAlias = Iterable[Sequence[Any]]


class UtcDateTime(TypeDecorator[datetime]):
    """Points in time, stored as UTC without a zone, so that every database sorts them alike, and read as UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def insert_all(connection: Connection, rows: Mapping[Table, Rows]) -> None:
    """Inserts rows into several tables, in the order of the mapping; in PostgreSQL in a single round trip."""
    _send(connection, rows, sums=False)


def add_to_sums(connection: Connection, rows: Mapping[Table, Rows]) -> None:
    """Like `insert_all`, but adds to the stored row of the same key if it exists; other columns must be numbers."""
    _send(connection, rows, sums=True)


def _send(connection: Connection, rows: Mapping[Table, Rows], *, sums: bool) -> None:
    filled = {table: values for table, of_table in rows.items() if (values := list(of_table))}
    if connection.dialect.name != "postgresql":
        for table, values in filled.items():
            connection.exec_driver_sql(_statement(table, sums), _as_stored(values, table))
    elif filled:
        sent = tuple(json.dumps(values, default=_as_text) for values in filled.values())
        connection.exec_driver_sql(_statement_for_all(tuple(filled), sums), sent)


def in_order(table: Table, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of a row in the order of the table's columns."""
    return _getter(table)(row)


@cache
def _getter(table: Table) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    return itemgetter(*(column.name for column in table.columns))


def new_numbers(connection: Connection, count: int, *tables: Table) -> list[Sequence[int]]:
    """Reserves `count` row numbers in each of the tables; needs a transaction that writes."""
    if connection.dialect.name == "postgresql":
        drawn = connection.execute(_next(tables), {"count": count}).all()
        return [[row[place] for row in drawn] for place in range(len(tables))]
    newest = connection.execute(_newest(tables)).one()
    return [range((last or 0) + 1, (last or 0) + 1 + count) for last in newest]


@cache
def _next(tables: tuple[Table, ...]) -> Any:
    numbers = ", ".join(f"nextval(pg_get_serial_sequence('{table.name}', 'number'))" for table in tables)
    return text(f"SELECT {numbers} FROM generate_series(1, :count)")  # noqa: S608


@cache
def _newest(tables: tuple[Table, ...]) -> Any:
    return select(*(select(func.max(table.c.number)).scalar_subquery() for table in tables))


def in_list(column: Column[Any], parameter: str, dialect: str) -> ColumnElement[bool]:
    """The condition that a column has a value of the list that is passed as `parameter`.

    PostgreSQL takes the list as an array, so that the statement is the same for any length. SQLite would not use the
    index for an array.
    """
    if dialect == "postgresql":
        return column == any_(bindparam(parameter, type_=ARRAY(column.type)))
    return column.in_(bindparam(parameter, expanding=True))


def _as_stored(rows: list[Sequence[Any]], table: Table) -> list[Sequence[Any]]:
    """Converts values of types that SQLite's driver does not know."""
    converters = _converters(table)
    if not converters:
        return rows
    converted: list[Sequence[Any]] = []
    for row in rows:
        values = list(row)
        for place, convert in converters:
            values[place] = convert(values[place])
        converted.append(tuple(values))
    return converted


@cache
def _converters(table: Table) -> list[tuple[int, Callable[[Any], Any]]]:
    """Places of the columns whose values SQLAlchemy converts, with the conversion; texts and numbers need none."""
    processors = [column.type.dialect_impl(_SQLITE).bind_processor(_SQLITE) for column in table.columns]
    return [(place, convert) for place, convert in enumerate(processors) if convert is not None]


@cache
def _statement(table: Table, sums: bool) -> str:
    return _insertion(table, f"VALUES ({', '.join('?' * len(table.columns))})", sums=sums)


@cache
def _statement_for_all(tables: tuple[Table, ...], sums: bool) -> str:
    """A statement that takes the rows of each table as a JSON array; foreign keys are checked after all inserts."""
    parts = [f"into_{table.name} AS ({_insertion(table, _selection(table), sums=sums)})" for table in tables]
    return f"WITH {', '.join(parts)} SELECT"


def _insertion(table: Table, values: str, *, sums: bool) -> str:
    names = [column.name for column in table.columns]
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) {values}"
    if not sums:
        return statement
    key = [column.name for column in table.primary_key]
    added = (f"{name} = {table.name}.{name} + excluded.{name}" for name in names if name not in key)
    return f"{statement} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {', '.join(added)}"


def _selection(table: Table) -> str:
    values = ", ".join(_from_json(place, column) for place, column in enumerate(table.columns))
    return f"SELECT {values} FROM jsonb_array_elements(%s::jsonb) AS rows (r)"  # noqa: S608


def _from_json(place: int, column: Column[Any]) -> str:
    kind = column.type.compile(dialect=_POSTGRESQL)
    if kind == "BYTEA":
        return f"decode(r->>{place}, 'hex')"
    if kind == "JSON":
        return f"(r->{place})::json"
    # A cast to VARCHAR(n) would silently cut texts that are too long.
    return f"r->>{place}" if isinstance(column.type, String) else f"(r->>{place})::{kind}"


def _as_text(value: Any) -> str:
    """Encodes values that JSON cannot represent."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat()
    return value.isoformat() if isinstance(value, date) else bytes(value).hex()
