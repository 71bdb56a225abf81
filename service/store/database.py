"""One database, SQLite or PostgreSQL: connections, transactions and migrations.

SQLite runs in WAL mode with `synchronous=FULL`, so that what was acknowledged survives a power cut, and through
pysqlite3, because SQLite before 3.51.3 can corrupt a WAL file that two connections write (the WAL-reset bug).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

from labels.errors import FramingError

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST_REVISION = "0003"
"""The migration that this program needs; a test holds it to the newest in the folder."""

_OLDEST_SAFE_SQLITE = (3, 51, 3)
_BUSY_SECONDS = 15.0
_MIGRATIONS = Path(__file__).with_name("migrations")


class DatabaseError(FramingError):
    """The database cannot be used."""


class Database:
    """Opens connections; `read` and `write` are the only ways to a transaction."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self._sqlite = self.url.get_backend_name() == "sqlite"
        self.engine: Engine = _sqlite_engine(url) if self._sqlite else create_engine(url, pool_pre_ping=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in a read transaction: one state of the database throughout."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a write transaction, committed at the end and rolled back on any error."""
        with self.engine.connect().execution_options(framing_write=True) as connection, connection.begin():
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
        if self._sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.write() as connection:
                if _revision(connection) != NEWEST_REVISION:
                    _upgrade(connection)
        except DBAPIError as error:
            raise DatabaseError(f"The database cannot be opened: {error.orig}.") from error

    def separate_engine(self) -> Engine:
        """An engine for a library that begins its transactions itself, on the same database."""
        if not self._sqlite:
            return create_engine(self.url, pool_pre_ping=True)
        engine = _bare_sqlite_engine(self.url)

        @event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            connection.isolation_level = "IMMEDIATE"
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "mmap_size=0"):
                connection.execute(f"PRAGMA {pragma}").close()

        return engine

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


def _sqlite_engine(url: str) -> Engine:
    engine = _bare_sqlite_engine(url)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver would begin transactions late and read-only
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "mmap_size=0"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that will write takes the lock at once: upgrading a read lock later can fail at any moment.
        immediate = connection.get_execution_options().get("framing_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _bare_sqlite_engine(url: str | URL) -> Engine:
    from pysqlite3 import dbapi2  # noqa: PLC0415 - PostgreSQL does not need it

    if dbapi2.sqlite_version_info < _OLDEST_SAFE_SQLITE:
        raise DatabaseError(
            f"SQLite {dbapi2.sqlite_version} can corrupt the database (WAL-reset bug); 3.51.3 or newer is needed: "
            "reinstall pysqlite3."
        )
    return create_engine(url, module=dbapi2, connect_args={"timeout": _BUSY_SECONDS})
