"""Overwriting the bytes of deleted rows, and what prevents it.

SQLite zeroes rows as it deletes them, in its log; the file has the old bytes until the log was copied into it, which
waits for readers of an older state. A row that once moved between pages can have left a copy behind, so only rewriting
the file removes every byte. PostgreSQL keeps deleted rows until their table is rewritten, which locks it, and rewriting
keeps those that an open snapshot still sees.
"""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from service.store.sql.database import Database

# While SQLite waits to empty its log nobody else can write, so a single attempt is short.
_ATTEMPT_SECONDS = 0.2
_PAUSE_SECONDS = 0.1
# While PostgreSQL waits for the lock of a table, everybody else who needs the table waits behind it.
_LOCK_SECONDS = 2

# Transactions that may still see what was deleted before the transaction number `limit` was given away.
_HOLDERS = text(
    "SELECT 'the connection ' || pid AS holder FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND (datname = current_database() OR datname IS NULL)"
    " AND greatest(age(backend_xmin), age(backend_xid)) > age(CAST(:limit AS xid))"
    " UNION ALL SELECT 'the prepared transaction ' || gid FROM pg_prepared_xacts"
    " WHERE database = current_database() AND age(transaction) > age(CAST(:limit AS xid))"
    " UNION ALL SELECT 'the replication slot ' || slot_name FROM pg_replication_slots"
    " WHERE age(xmin) > age(CAST(:limit AS xid))"
)


def erase_deleted(database: Database, tables: Sequence[str], seconds: float, *, thoroughly: bool) -> str | None:
    """Overwrites deleted rows in the files of the database, and returns what is left and why; None if nothing is.

    It tries for some `seconds`. `thoroughly` rewrites SQLite's file, which takes as much room on the disk again and
    keeps others from writing. PostgreSQL always has to rewrite `tables`, which nobody can read meanwhile; without
    `thoroughly` that is left to do.
    """
    if database.is_sqlite:
        obstacle = _empty_log(database, seconds)
        if obstacle is None and thoroughly:
            obstacle = _rewrite_file(database) or _empty_log(database, seconds)
        return obstacle
    if not thoroughly:
        return "PostgreSQL keeps the bytes of deleted rows until their tables are rewritten."
    return _rewrite_tables(database, tables, seconds)


def _rewrite_file(database: Database) -> str | None:
    from pysqlite3 import dbapi2  # noqa: PLC0415 - PostgreSQL does not need it

    try:
        with database.engine.connect() as connection:
            connection.connection.cursor().execute("VACUUM")
    except dbapi2.Error as error:
        return f"SQLite could not rewrite its file, which may have copies of what was deleted: {error}."
    return None


def _empty_log(database: Database, seconds: float) -> str | None:
    deadline = time.monotonic() + seconds
    while True:
        obstacle = _try_to_empty_log(database)
        if obstacle is None or time.monotonic() >= deadline:
            return obstacle
        time.sleep(_PAUSE_SECONDS)


def _try_to_empty_log(database: Database) -> str | None:
    from pysqlite3 import dbapi2  # noqa: PLC0415 - PostgreSQL does not need it

    with database.engine.connect() as connection:
        cursor = connection.connection.cursor()
        [patience] = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {int(_ATTEMPT_SECONDS * 1000)}")
        try:
            [busy, _in_log, _copied] = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except dbapi2.Error as error:
            return f"SQLite could not empty its log, which has copies of what was deleted: {error}."
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {patience}")
    if busy:
        return (
            "Another process or request is reading or writing the database, so SQLite's log still has copies of what "
            "was deleted."
        )
    return None


def _rewrite_tables(database: Database, tables: Sequence[str], seconds: float) -> str | None:
    deadline = time.monotonic() + seconds
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Whatever begins from here on does not see what was deleted before.
        limit = str(connection.scalar(text("SELECT CAST(pg_snapshot_xmax(pg_current_snapshot()) AS xid)")))
        while holders := connection.scalars(_HOLDERS, {"limit": limit}).all():
            if time.monotonic() >= deadline:
                return f"PostgreSQL keeps deleted rows that an open transaction still sees: {', '.join(holders)}."
            time.sleep(_PAUSE_SECONDS)
        connection.exec_driver_sql(f"SET lock_timeout = '{_LOCK_SECONDS}s'")
        try:
            obstacles = [_rewrite_table(connection, table, deadline) for table in tables]
        finally:
            connection.exec_driver_sql("RESET lock_timeout")
    return " ".join(filter(None, obstacles)) or None


def _rewrite_table(connection: Connection, table: str, deadline: float) -> str | None:
    while True:
        before = _file_of(connection, table)
        try:
            connection.exec_driver_sql(f"VACUUM (FULL) {table}")
        except DBAPIError as error:
            if time.monotonic() < deadline and not connection.invalidated:
                time.sleep(_PAUSE_SECONDS)
                continue
            return f"The table {table} could not be rewritten, so PostgreSQL keeps its deleted rows: {error.orig}."
        if _file_of(connection, table) == before:
            return f"PostgreSQL did not rewrite the table {table}; this service's user does not own it."
        return None


def _file_of(connection: Connection, table: str) -> Any:
    return connection.scalar(text("SELECT pg_relation_filenode(CAST(:table AS regclass))"), {"table": table})
