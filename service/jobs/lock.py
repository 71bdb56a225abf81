"""One worker at a time: with SQLite on the machine of the file, with PostgreSQL among all hosts of the database."""

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from service.store.sql.connections import try_workers_lock
from service.store.sql.database import Database

_log = logging.getLogger("framing")

_WAIT_SECONDS = 0.5
_CHECK_SECONDS = 1.0


@contextmanager
def only_worker(database: Database, folder: Path, stop: threading.Event, gone: Callable[[], bool]) -> Iterator[bool]:
    """Waits until no other worker is at work; False where it was told to stop before.

    The lock goes with the process that holds it. Where the database loses its side of the lock, the process ends, as
    another worker may be at work by then.
    """
    waiting = _file_lock(folder) if database.is_sqlite else _database_lock(database, stop)
    try:
        while not (stop.is_set() or gone()):
            if next(waiting):
                yield True
                return
            stop.wait(_WAIT_SECONDS)
        yield False
    finally:
        waiting.close()


def _file_lock(folder: Path) -> Generator[bool]:
    """Tries at each step; the lock is held until the iterator is closed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "worker.lock").open("w") as lock:
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
