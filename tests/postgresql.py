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


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a running server, without the name of a database. Its socket is a file, so no port is taken."""
    assert PROGRAMS is not None
    folder = Path(tempfile.mkdtemp(prefix="framing-pg-"))
    # The server refuses to run as root, and so does initdb.
    user = {"user": "postgres"} if os.getuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    run = lambda *command: subprocess.run(command, check=True, capture_output=True, cwd=folder, **user)  # noqa: E731
    run(PROGRAMS / "initdb", "-D", data, "-U", "framing", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=200 -c timezone=Asia/Karachi"
    run(PROGRAMS / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options, "start")
    try:
        yield f"postgresql://framing@/{{name}}?host={folder}"
    finally:
        run(PROGRAMS / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
