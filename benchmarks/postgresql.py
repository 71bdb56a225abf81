"""A PostgreSQL server of the tests' own, where its programs are installed: nothing to set up, nothing left behind."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _programs() -> Path | None:
    """The folder of `initdb` and `postgres`; Debian keeps them off the path."""
    beside = shutil.which("initdb")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return Path(beside).parent if beside else found[-1].parent if found else None


PROGRAMS = _programs()


class Cluster:
    """A cluster in a folder of its own. Its socket is a file, so no port is taken."""

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
        zone = "-c timezone=Asia/Karachi"
        log = ("-l", self._folder / "log")
        self._run("pg_ctl", "-D", self._folder / "data", *log, "-w", "-o", f"{options} {zone}", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: object) -> None:
        if PROGRAMS is None:
            raise RuntimeError("PostgreSQL is not installed (apt-get install postgresql).")
        command = [str(PROGRAMS / program), *map(str, arguments)]
        # A server that goes on would hold a pipe open for ever.
        with (self._folder / "output").open("ab") as output:
            subprocess.run(command, check=True, stdout=output, stderr=output, cwd=self._folder, user=self._user)


@contextmanager
def postgresql(*, durable: bool = False) -> Iterator[Cluster]:
    """A running cluster, gone afterwards; only a `durable` one waits for the disk, as those in use do."""
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
