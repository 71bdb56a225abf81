"""A PostgreSQL server that exists for as long as it is needed, where PostgreSQL is installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from service.store.sql.database import database_url


def _programs() -> Path | None:
    """The folder of `initdb` and `postgres`, which Debian leaves off the path."""
    on_path = shutil.which("initdb")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return Path(on_path).parent if on_path else installed[-1].parent if installed else None


PROGRAMS = _programs()


class Cluster:
    """A PostgreSQL cluster in a folder. Its socket is a file there, so it takes no port.

    `url` is the URL of a database of it, where `{name}` stands for the database's name.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._folder = folder
        self._sync = "on" if durable else "off"
        self.url = f"postgresql://framing@/{{name}}?host={folder}"
        # The server refuses to run as root, and so does initdb.
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user:
            shutil.chown(folder, "postgres")
        data = ("-D", folder / "data")
        self._run("initdb", *data, "-U", "framing", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")

    def start(self) -> None:
        options = f"-k {self._folder} -c listen_addresses='' -c fsync={self._sync} -c max_connections=200"
        # Far from UTC, so that a moment without a time zone shows.
        zone = "-c timezone=Asia/Karachi"
        log = ("-l", self._folder / "log")
        self._run("pg_ctl", "-D", self._folder / "data", *log, "-w", "-o", f"{options} {zone}", "start")

    def stop(self) -> None:
        """Stops the server at once, as a crash does."""
        self._run("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: object) -> None:
        if PROGRAMS is None:
            raise RuntimeError("PostgreSQL is not installed (apt-get install postgresql).")
        command = [str(PROGRAMS / program), *map(str, arguments)]
        # Into a file: the server inherits its output, and would keep a pipe open for as long as it runs.
        with (self._folder / "output").open("ab") as output:
            subprocess.run(command, check=True, stdout=output, stderr=output, cwd=self._folder, user=self._user)


@contextmanager
def postgresql(*, durable: bool = False) -> Iterator[Cluster]:
    """Runs a cluster and deletes it at the end; only if `durable` does it wait for the disk, as in production."""
    folder = Path(tempfile.mkdtemp(prefix="framing-pg-"))
    try:
        cluster = Cluster(folder, durable=durable)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def administer(url: str, statement: str) -> None:
    """Runs a statement in the database `postgres` of a cluster, outside a transaction."""
    engine = create_engine(database_url(url.format(name="postgres")), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
