"""Rows that reach the database before the lock of writers is taken, in a temporary table of a single connection.

A transaction can then write all of them by a single statement, so that it holds the lock for a moment, however many
they are. Nobody else sees the temporary table, and it goes with its connection, also where the process is killed.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.schema import CreateTable

from service.store.sql.connections import WRITES
from service.store.sql.database import Database
from service.store.sql.insertion import insert_all

_AT_ONCE = 5000
_CACHE_KIB = 65_536


@contextmanager
def writing_with(database: Database, staged: Table, rows: Iterable[Sequence[Any]]) -> Iterator[Connection]:
    """A connection in a transaction that writes, in which the temporary table `staged` has these rows."""
    with database.engine.connect() as connection:
        connection.detach()
        if database.is_sqlite:
            # A temporary file would leave texts on the disk, and with the usual 2 MiB of memory for pages SQLite would
            # write many of them several times. The first pragma has no effect inside a transaction.
            for pragma in ("temp_store=MEMORY", f"cache_size=-{_CACHE_KIB}"):
                connection.connection.cursor().execute(f"PRAGMA {pragma}")
        with connection.begin():
            connection.execute(CreateTable(staged))
            waiting = iter(rows)
            while part := list(islice(waiting, _AT_ONCE)):
                insert_all(connection, {staged: part})
            if not database.is_sqlite:
                connection.exec_driver_sql(f"ANALYZE {staged.name}")
        connection.execution_options(**{WRITES: True})
        with connection.begin():
            yield connection
