"""How connections to SQLite and to PostgreSQL are made, and how each lets one writer at a time do its work.

SQLite runs in WAL mode with `synchronous=FULL`, so that what was acknowledged survives a power cut, and through
pysqlite3, because SQLite before 3.51.3 can corrupt a WAL file that two connections write (the WAL-reset bug).

PostgreSQL is spoken to by psycopg 3. A transaction that writes takes an advisory lock first: the sums of a day are rows
that every writer changes, so writers would wait for each other there, or deadlock, in any case. Speed comes from many
articles in one transaction (see service/articles/ingest.py).
"""

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from labels.errors import FramingError

WRITES = "framing_write"
"""Execution option of a connection whose transaction will write."""

_OLDEST_SAFE_SQLITE = (3, 51, 3)
_BUSY_SECONDS = 15
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "mmap_size=0")
# Any number does, as long as nobody else in the database uses it.
_WRITERS_LOCK = 0x6672616D
_WORKERS_LOCK = _WRITERS_LOCK + 1


class DatabaseError(FramingError):
    """The database cannot be used."""


def sqlite_engine(url: URL) -> Engine:
    """SQLite with transactions that begin when we say so."""
    engine = _bare_sqlite_engine(url)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver would begin transactions late and read-only
        _set_pragmas(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that will write takes the lock at once: upgrading a read lock later can fail at any moment.
        immediate = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def plain_sqlite_engine(url: URL) -> Engine:
    """SQLite for a library that begins its transactions itself."""
    engine = _bare_sqlite_engine(url)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        _set_pragmas(connection)

    return engine


def _set_pragmas(connection: Any) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _bare_sqlite_engine(url: URL) -> Engine:
    from pysqlite3 import dbapi2  # noqa: PLC0415 - PostgreSQL does not need it

    if dbapi2.sqlite_version_info < _OLDEST_SAFE_SQLITE:
        raise DatabaseError(
            f"SQLite {dbapi2.sqlite_version} can corrupt the database (WAL-reset bug); 3.51.3 or newer is needed: "
            "reinstall pysqlite3."
        )
    return create_engine(url, module=dbapi2, connect_args={"timeout": float(_BUSY_SECONDS)})


def plain_postgresql_engine(url: URL) -> Engine:
    """PostgreSQL, for anybody."""
    return create_engine(
        url,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "options": f"-c timezone=UTC -c lock_timeout={_BUSY_SECONDS}s"},
    )


def postgresql_engine(url: URL) -> Engine:
    """PostgreSQL with one writer at a time."""
    engine = plain_postgresql_engine(url)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get(WRITES):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")

    return engine


def try_workers_lock(connection: Connection) -> bool:
    """Takes the lock of the one worker for as long as the connection to PostgreSQL lives; False where it is taken."""
    return bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_WORKERS_LOCK})").scalar_one())
