"""The database, SQLite or PostgreSQL: transactions and migrations."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from service.errors import DatabaseError
from service.store.sql import connections

if TYPE_CHECKING:
    from alembic.config import Config

# The migration that this version needs; a test compares it with the newest in the folder.
NEWEST_REVISION = "0017"
# What a database raises that does not answer: it is down or locked, or all connections to it are in use.
UNANSWERED = (OperationalError, NoConnectionError)
_CLOSE_SECONDS = 2.0

_MIGRATIONS = Path(__file__).parents[1] / "migrations"


def database_url(url: str) -> URL:
    """Parses a URL and sets the driver that this program uses; raises `DatabaseError` for other kinds of databases."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseError("The database URL cannot be read; write postgresql://user:password@host/name.") from error
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise DatabaseError(f"The database must be SQLite or PostgreSQL, not {backend}.")
    return parsed


class Database:
    """Opens transactions, either with `read` or with `write`.

    `write` opens a write transaction, which is committed at the end and rolled back on any error. Only a single write
    transaction is open at a time; others wait for it.
    """

    write: Callable[[], AbstractContextManager[Connection]]

    def __init__(self, url: str) -> None:
        self.url = database_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine: Engine = (connections.sqlite_engine if self.is_sqlite else connections.postgresql_engine)(self.url)
        self.write = self.engine.execution_options(**{connections.WRITES: True}).begin
        # A transaction in SQLite always sees a single state of the database.
        self._read_options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in a read transaction, which sees a single state of the database."""
        with self.engine.connect().execution_options(**self._read_options) as connection, connection.begin():
            yield connection

    @classmethod
    @contextmanager
    def opened(cls, url: str) -> Iterator["Database"]:
        """A migrated database for the duration of a command."""
        database = cls(url)
        database.migrate()
        try:
            yield database
        finally:
            database.close()

    def ping(self) -> None:
        """Raises `DatabaseError` unless the database answers and has the tables that this version needs."""
        try:
            with self.read() as connection:
                revision = _revision(connection)
        except DBAPIError as error:
            raise DatabaseError("The database cannot be reached.") from error
        if revision != NEWEST_REVISION:
            raise DatabaseError("The database was not migrated: start the service once.")

    def migrate(self) -> None:
        """Brings the tables up to date; raises `DatabaseError` for a newer database and leaves it unchanged."""
        if self.is_sqlite and self.url.database:
            _require_writable(Path(self.url.database).parent)
        try:
            if self._is_up_to_date():
                return
            with self.write() as connection:
                if _revision(connection) != NEWEST_REVISION:
                    _upgrade(connection)
        except DBAPIError as error:
            raise DatabaseError(f"The database cannot be opened: {str(error.orig).strip()}.") from error

    def _is_up_to_date(self) -> bool:
        # So that a start does not wait for others who write.
        with self.read() as connection:
            return _revision(connection) == NEWEST_REVISION

    def copy_to(self, path: Path, progress: Callable[[float], None]) -> None:
        """Copies SQLite's file in a consistent state, while others read and write (SQLite's backup API)."""
        from pysqlite3 import dbapi2  # noqa: PLC0415 - PostgreSQL does not need it

        copy = dbapi2.connect(str(path))
        try:
            with self.engine.connect() as connection:
                source: Any = connection.connection.driver_connection
                # All pages at once: in steps, the backup would restart after every write.
                source.backup(copy, progress=lambda _status, left, total: progress(1 - left / max(total, 1)))
        finally:
            copy.close()

    def separate_engine(self) -> Engine:
        """A second engine on the same database, for a library that begins transactions itself."""
        return (connections.plain_sqlite_engine if self.is_sqlite else connections.plain_postgresql_engine)(self.url)

    def close(self) -> None:
        """Closes all connections, once threads that still read or write for a client who has left are done.

        A connection that is in use all the same, or opened later, is closed once it is returned.
        """
        event.listen(self.engine, "checkin", _close_returned)
        deadline = time.monotonic() + _CLOSE_SECONDS
        while self._in_use() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.engine.dispose()

    def _in_use(self) -> bool:
        pool = self.engine.pool
        return isinstance(pool, QueuePool) and pool.checkedout() > 0


def _require_writable(folder: Path) -> None:
    """Makes the folder of the database; SQLite's own message would not say that the folder is the reason."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"The folder {folder} of the database cannot be made: {error.strerror}.") from error
    if not os.access(folder, os.W_OK):
        raise DatabaseError(f"The folder {folder} of the database cannot be written to; make it writable.")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - 11 MiB that only a migration needs
    from alembic.util import CommandError  # noqa: PLC0415

    try:
        command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise DatabaseError(
            "The database belongs to another version of this program, which is probably newer."
        ) from error


def alembic_config(connection: Connection) -> "Config":
    """The configuration with which Alembic runs the migrations on an open connection."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _close_returned(_connection: Any, entry: ConnectionPoolEntry) -> None:
    entry.invalidate()
