"""One database, SQLite or PostgreSQL: connections, transactions and migrations.

SQLite runs in WAL mode with `synchronous=FULL`, so that what was acknowledged survives a power cut, and through
pysqlite3, because SQLite before 3.51.3 can corrupt a WAL file that two connections write (the WAL-reset bug).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError

from labels.errors import FramingError

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
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
                found = MigrationContext.configure(connection).get_current_revision()
        except OperationalError as error:
            raise DatabaseError("The database cannot be reached.") from error
        if found != self.newest_revision():
            raise DatabaseError("The database was not migrated: start the service once, or run `framing doctor`.")

    def newest_revision(self) -> str | None:
        return ScriptDirectory(str(_MIGRATIONS)).get_current_head()

    def migrate(self) -> None:
        """Brings the tables up to date; a database that is newer than this program is refused untouched."""
        if self._sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.write() as connection:
                found = MigrationContext.configure(connection).get_current_revision()
                script = ScriptDirectory(str(_MIGRATIONS))
                if found and found not in {revision.revision for revision in script.walk_revisions()}:
                    raise DatabaseError("The database belongs to a newer version of this program.")
                if found != script.get_current_head():
                    command.upgrade(_alembic(connection), "head")
        except OperationalError as error:
            raise DatabaseError(f"The database cannot be opened: {error.orig}.") from error

    def close(self) -> None:
        self.engine.dispose()


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _sqlite_engine(url: str) -> Engine:
    from pysqlite3 import dbapi2  # noqa: PLC0415 - PostgreSQL does not need it

    if dbapi2.sqlite_version_info < _OLDEST_SAFE_SQLITE:
        raise DatabaseError(
            f"SQLite {dbapi2.sqlite_version} can corrupt the database (WAL-reset bug); 3.51.3 or newer is needed: "
            "reinstall pysqlite3."
        )
    engine = create_engine(url, module=dbapi2, connect_args={"timeout": _BUSY_SECONDS})

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
