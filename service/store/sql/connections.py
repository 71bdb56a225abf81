"""Connections to SQLite and PostgreSQL. Both allow a single write transaction at a time.

SQLite runs in WAL mode with `synchronous=FULL`, so that committed data survives a power cut. The driver is pysqlite3,
because SQLite before 3.51.3 can corrupt a WAL file that two connections write (the WAL-reset bug).

The driver for PostgreSQL is psycopg 3. A transaction that writes first takes an advisory lock: all writers change the
rows of the daily sums, so without the lock they would wait for each other there, or deadlock. Throughput comes from
storing many articles per transaction (see service/store/sql/group_commit.py).
"""

from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, text

from service.errors import DatabaseError

# Execution option of a connection whose transaction will write.
WRITES = "framing_write"

_OLDEST_SAFE_SQLITE = (3, 51, 3)
_BUSY_SECONDS = 15
# Connections to PostgreSQL beyond the five that stay open, and how long a request waits for any of them.
_MORE_CONNECTIONS = 25
_POOL_SECONDS = 5
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "mmap_size=0")
# Class of the errors about values.
_BAD_VALUE = "22"
# Arbitrary numbers that no other program in the same database should use.
_WRITERS_LOCK = 0x6672616D
_WORKERS_LOCK = _WRITERS_LOCK + 1


def sqlite_engine(url: URL) -> Engine:
    """An engine for SQLite that begins transactions explicitly, so that writers can take the lock at once."""
    engine = _bare_sqlite_engine(url)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # else the driver begins transactions late and read-only
        _set_pragmas(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that will write takes the lock at once: upgrading a read lock later can fail at any moment.
        immediate = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def plain_sqlite_engine(url: URL) -> Engine:
    """An engine for SQLite, for a library that begins transactions itself."""
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
    # Exports hold connections for as long as their clients read, so their number must not be fixed.
    connect_args = {"timeout": float(_BUSY_SECONDS)}
    return _silent_engine(url, module=dbapi2, connect_args=connect_args, pool_size=16, max_overflow=-1)


def plain_postgresql_engine(url: URL) -> Engine:
    """An engine for PostgreSQL without the lock for writers, for a library that begins transactions itself."""
    return _silent_engine(
        url,
        pool_pre_ping=True,
        max_overflow=_MORE_CONNECTIONS,
        pool_timeout=_POOL_SECONDS,
        connect_args={"connect_timeout": 5, "options": f"-c timezone=UTC -c lock_timeout={_BUSY_SECONDS}s"},
    )


def postgresql_engine(url: URL) -> Engine:
    """An engine for PostgreSQL that allows a single write transaction at a time."""
    engine = plain_postgresql_engine(url)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get(WRITES):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")

    return engine


def _silent_engine(url: URL, **settings: Any) -> Engine:
    """An engine whose errors hold no parameters and no content of rows: they are logged, and rows hold texts."""
    engine = create_engine(url, hide_parameters=True, **settings)

    @event.listens_for(engine, "handle_error")
    def _leave_out_content(context: ExceptionContext) -> None:
        original, raised = context.original_exception, context.sqlalchemy_exception
        if raised is not None:
            raised.params = None  # DBOS stores errors whole
        short = _without_content(original)
        if short is None:
            return
        # The error of SQLAlchemy has the message of the driver's as a part of its own.
        for error in (raised, original):
            if error is not None:
                error.args = tuple(short if isinstance(arg, str) else arg for arg in error.args)

    return engine


def _without_content(error: BaseException) -> str | None:
    """The message of an error of PostgreSQL without the rows and values that it quotes; None for any other error."""
    diagnosis = getattr(error, "diag", None)
    message = getattr(diagnosis, "message_primary", None)
    if message is None:
        return None
    state = getattr(error, "sqlstate", None) or ""
    # Of a value that is not accepted, even the first line quotes it, behind a colon.
    return f"{message.partition(':')[0] if state.startswith(_BAD_VALUE) else message} (SQLSTATE {state})"


def try_workers_lock(connection: Connection) -> bool:
    """Takes the worker's lock until the connection to PostgreSQL is closed; False if another process has it."""
    return bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_WORKERS_LOCK})").scalar_one())


def workers_lock_is_held(connection: Connection) -> bool:
    """Whether a worker, of any host, holds the lock in this database of PostgreSQL."""
    query = text(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = 0"
        " AND objid = :key AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    )
    return bool(connection.execute(query, {"key": _WORKERS_LOCK}).scalar_one())
