"""The lock that ensures that only a single worker runs: a file with SQLite, an advisory lock with PostgreSQL.

With SQLite it holds on the machine that has the data folder, with PostgreSQL among all hosts of the database.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from service.store.sql.connections import try_workers_lock, workers_lock_is_held
from service.store.sql.database import Database

_log = logging.getLogger("framing")

_FILE = "worker.lock"
_WAIT_SECONDS = 0.5
_CHECK_SECONDS = 1.0


@contextmanager
def only_worker(
    database: Database, folder: Path, stop: threading.Event, parent_is_gone: Callable[[], bool]
) -> Iterator[bool]:
    """Waits for the lock and yields True; yields False if the worker has to stop before it gets the lock.

    The lock ends with the process that holds it. If PostgreSQL loses the connection that holds the lock, the process
    ends too, because another worker may have the lock by then.
    """
    attempts = _file_lock(folder) if database.is_sqlite else _database_lock(database, stop)
    try:
        while not (stop.is_set() or parent_is_gone()):
            if next(attempts):
                yield True
                return
            stop.wait(_WAIT_SECONDS)
        yield False
    finally:
        attempts.close()


def worker_has_lock(database: Database, folder: Path) -> bool:
    """Whether a worker holds the lock; raises `DBAPIError` if PostgreSQL does not answer."""
    if not database.is_sqlite:
        with database.read() as connection:
            return workers_lock_is_held(connection)
    try:
        with (folder / _FILE).open("rb") as lock:
            # Shared, so that servers can check at the same time; a worker whose attempt collides tries again.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _file_lock(folder: Path) -> Generator[bool]:
    """Tries to lock at each step; holds the lock until the iterator is closed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _FILE).open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


def _database_lock(database: Database, stop: threading.Event) -> Generator[bool]:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not try_workers_lock(connection):
            yield False
        done = threading.Event()
        watch = threading.Thread(target=_end_without_lock, args=(connection, stop, done), daemon=True)
        watch.start()
        try:
            yield True
        finally:
            done.set()
            watch.join()


def _end_without_lock(connection: Connection, stop: threading.Event, done: threading.Event) -> None:
    while not done.wait(_CHECK_SECONDS):
        try:
            connection.exec_driver_sql("SELECT 1")
        except DBAPIError:
            if not (stop.is_set() or done.is_set()):
                _log.error("The database dropped the connection that holds the worker's lock; the worker ends.")
                os._exit(1)
