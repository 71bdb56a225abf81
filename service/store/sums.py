"""Rows that are sums: what is new is added to what is there, in one statement on either database."""

from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def add_to_sums(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Adds rows to those of the same key, in the order given; all columns outside the key are sums."""
    if rows:
        connection.execute(_upsert(table, connection.dialect.name), rows)


@cache
def _upsert(table: Table, dialect: str) -> Any:
    new = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    key = [column.name for column in table.primary_key]
    sums = {c.name: c + new.excluded[c.name] for c in table.columns if c.name not in key}
    return new.on_conflict_do_update(index_elements=key, set_=sums)
