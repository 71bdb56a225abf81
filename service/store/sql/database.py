"""One database, SQLite or PostgreSQL: transactions and migrations."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from service.store.sql import connections
from service.store.sql.connections import DatabaseError

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["NEWEST_REVISION", "Database", "DatabaseError", "alembic_config", "database_url"]

NEWEST_REVISION = "0006"
"""The migration that this program needs; a test holds it to the newest in the folder."""

_WITH_TEXT = ("articles", "annotations", "idempotency_keys")
_MIGRATIONS = Path(__file__).parents[1] / "migrations"


def database_url(url: str) -> URL:
    """The URL with the driver that this program uses; raises `DatabaseError` for another kind of database."""
    try:
        found = make_url(url)
    except ArgumentError as error:
        raise DatabaseError("The database URL cannot be read; write postgresql://user:password@host/name.") from error
    backend = found.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return found.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise DatabaseError(f"The database must be SQLite or PostgreSQL, not {backend}.")
    return found


class Database:
    """Opens connections; `read` and `write` are the only ways to a transaction."""

    def __init__(self, url: str) -> None:
        self.url = database_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine: Engine = (connections.sqlite_engine if self.is_sqlite else connections.postgresql_engine)(self.url)
        # SQLite gives one state to a transaction by itself.
        self._read_options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in a read transaction: one state of the database throughout."""
        with self.engine.connect().execution_options(**self._read_options) as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a write transaction, committed at the end and rolled back on any error; one at a time."""
        with self.engine.connect().execution_options(**{connections.WRITES: True}) as connection, connection.begin():
            yield connection

    def ping(self) -> None:
        """Raises `DatabaseError` unless the database answers and has the tables that this version needs."""
        try:
            with self.read() as connection:
                found = _revision(connection)
        except DBAPIError as error:
            raise DatabaseError("The database cannot be reached.") from error
        if found != NEWEST_REVISION:
            raise DatabaseError("The database was not migrated: start the service once.")

    def migrate(self) -> None:
        """Brings the tables up to date; a database that is newer than this program is refused untouched."""
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.write() as connection:
                if _revision(connection) != NEWEST_REVISION:
                    _upgrade(connection)
        except DBAPIError as error:
            raise DatabaseError(f"The database cannot be opened: {str(error.orig).strip()}.") from error

    def copy_to(self, path: Path, progress: Callable[[float], None]) -> None:
        """A copy of SQLite's file as of one moment, while others read and write (SQLite's own backup)."""
        from pysqlite3 import dbapi2  # noqa: PLC0415 - PostgreSQL does not need it

        copy = dbapi2.connect(str(path))
        try:
            with self.engine.connect() as connection:
                source: Any = connection.connection.driver_connection
                # All pages at once: in steps it would begin anew with every write.
                source.backup(copy, progress=lambda _status, left, total: progress(1 - left / max(total, 1)))
        finally:
            copy.close()

    def scrub(self, *, thoroughly: bool = False) -> None:
        """Overwrites what was deleted: SQLite zeroes it, once its log is emptied; PostgreSQL writes the tables anew.

        The latter locks them meanwhile, so it is done only where asked for `thoroughly`.
        """
        if self.is_sqlite:
            with self.engine.connect() as connection:
                connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        elif thoroughly:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                for table in _WITH_TEXT:
                    connection.exec_driver_sql(f"VACUUM (FULL) {table}")

    def separate_engine(self) -> Engine:
        """An engine for a library that begins its transactions itself, on the same database."""
        return (connections.plain_sqlite_engine if self.is_sqlite else connections.plain_postgresql_engine)(self.url)

    def close(self) -> None:
        self.engine.dispose()


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - eleven MiB that only a migration needs
    from alembic.util import CommandError  # noqa: PLC0415

    try:
        command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise DatabaseError("The database belongs to another version of this program, probably a newer one.") from error


def alembic_config(connection: Connection) -> "Config":
    """How Alembic finds the migrations, to be run on an open connection."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config
