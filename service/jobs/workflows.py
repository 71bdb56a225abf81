"""DBOS, which repeats the steps of training runs after a crash, held to JSON: a pickle in its tables is never opened.

By itself DBOS stores arguments and results as pickles, and unpickles every row that names that format, whatever
serializer it was configured with. Whoever can write to the database, or make a backup that somebody restores, could run
code here.
"""

from typing import Any, NoReturn

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer
from dbos._serialization import DefaultSerializer
from sqlalchemy import Connection, Engine, MetaData, Table, bindparam, inspect, or_, select

# Always the same, because DBOS resumes only workflows of this application version, and runs outlive upgrades of the
# program.
_VERSION = "1"
_JSON = DBOSPortableJSONSerializer()
_SCHEMA = "dbos"  # where PostgreSQL has the tables of DBOS; SQLite has no schemas
_ID, _SERIALIZATION = "workflow_uuid", "serialization"


def launch(engine: Engine) -> None:
    """Starts DBOS, which resumes the runs that were interrupted."""
    DefaultSerializer.deserialize = _refuse  # type: ignore[method-assign, assignment]
    forget_pickles(engine)
    config: DBOSConfig = {
        "name": "framing",
        "system_database_engine": engine,
        "serializer": _JSON,
        "application_version": _VERSION,
        "executor_id": "worker",
        "log_level": "WARNING",
        "notification_listener_polling_interval_sec": 0.2,
    }
    DBOS(config=config)
    DBOS.launch()


def forget_pickles(engine: Engine) -> None:
    """Deletes what DBOS stored as pickles, as earlier versions of this program had it do.

    A run that is not finished starts again from its first step, each of which can be repeated.
    """
    with engine.begin() as connection:
        tables = _tables(connection)
        identifiers: set[str] = set()
        for table in tables:
            if _SERIALIZATION in table.c:
                format_ = table.c[_SERIALIZATION]
                foreign = select(table.c[_ID]).where(or_(format_.is_(None), format_ != _JSON.name()))
                identifiers |= set(connection.scalars(foreign))
        rows = [{"foreign": identifier} for identifier in identifiers]
        for table in tables if rows else ():
            connection.execute(table.delete().where(table.c[_ID] == bindparam("foreign")), rows)


def _tables(connection: Connection) -> list[Table]:
    """Returns the tables of DBOS that are about a workflow, that of the workflows last; none before its first start."""
    schema = None if connection.dialect.name == "sqlite" else _SCHEMA
    inspector, metadata = inspect(connection), MetaData()
    names = sorted(inspector.get_table_names(schema), key=lambda name: name == "workflow_status")
    return [
        Table(name, metadata, autoload_with=connection, schema=schema, resolve_fks=False)
        for name in names
        if any(column["name"] == _ID for column in inspector.get_columns(name, schema))
    ]


def _refuse(_serializer: Any, _content: str) -> NoReturn:
    raise ValueError("The database holds a pickle where it should hold JSON; it was not opened.")
