"""Many rows at once, handed to the driver as they are: SQLAlchemy would look at each.

PostgreSQL gets all rows of all tables in one statement, as JSON: each round trip is a wait, and gives the lock of the
interpreter to others meanwhile. The statement is the same for any number of rows, so it is prepared once.
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
    Dialect,
    String,
    Table,
    any_,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

_SQLITE: Dialect = sqlite.dialect()
_POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]

Rows: TypeAlias = Iterable[Sequence[Any]]
"""Rows with a value for every column of their table, in its order."""


def insert_all(connection: Connection, rows: Mapping[Table, Rows]) -> None:
    """Inserts rows into several tables, in the order given; into PostgreSQL by one statement, in one round trip."""
    _send(connection, rows, sums=False)


def add_to_sums(connection: Connection, rows: Mapping[Table, Rows]) -> None:
    """As `insert_all`, but adds a row to that of the same key where there is one; all columns outside it are sums."""
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
    """Numbers for so many rows of each of the tables, which number their rows, in a transaction that writes."""
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


def one_of(column: Column[Any], parameter: str, dialect: str) -> ColumnElement[bool]:
    """Whether a column has one of the values of a list, which is given as a parameter.

    To PostgreSQL as an array, so that the statement is the same for any number; SQLite would read all rows for one.
    """
    if dialect == "postgresql":
        return column == any_(bindparam(parameter, type_=ARRAY(column.type)))
    return column.in_(bindparam(parameter, expanding=True))


def _as_stored(rows: list[Sequence[Any]], table: Table) -> list[Sequence[Any]]:
    """The rows as SQLite's driver takes them, for columns of a kind that it does not know."""
    made = _makers(table)
    if not made:
        return rows
    found: list[Sequence[Any]] = []
    for row in rows:
        values = list(row)
        for place, make in made:
            values[place] = make(values[place])
        found.append(tuple(values))
    return found


@cache
def _makers(table: Table) -> list[tuple[int, Callable[[Any], Any]]]:
    """Places of columns whose values SQLAlchemy makes others of, and how; plain texts and numbers it leaves alone."""
    kinds = [column.type.dialect_impl(_SQLITE).bind_processor(_SQLITE) for column in table.columns]
    return [(place, make) for place, make in enumerate(kinds) if make is not None]


@cache
def _statement(table: Table, sums: bool) -> str:
    return _insertion(table, f"VALUES ({', '.join('?' * len(table.columns))})", sums=sums)


@cache
def _statement_for_all(tables: tuple[Table, ...], sums: bool) -> str:
    """Each table's rows are a JSON array; foreign keys are looked at when all are there."""
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
    # A cast to VARCHAR(n) would cut what is too long without a word.
    return f"r->>{place}" if isinstance(column.type, String) else f"(r->>{place})::{kind}"


def _as_text(value: Any) -> str:
    """Values that JSON does not know."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat()
    return value.isoformat() if isinstance(value, date) else bytes(value).hex()
