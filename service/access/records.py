"""What the gate writes to the database: when keys were used, and how many requests they made in a minute.

No request waits for it. A thread writes about once a second what has accumulated; while the database cannot be written
to, that stays in memory.
"""

import logging
import threading
import time
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from service.store import keys
from service.store.sql.database import Database

_log = logging.getLogger("framing")

_INTERVAL_SECONDS = 1.0
_RECORD_USE_SECONDS = 60.0
_STOP_SECONDS = 2.0


@dataclass(slots=True)
class _Count:
    """Requests of a key in a minute: the total when it was last written, and those to this process since then."""

    minute: int
    total: int = 0
    new: int = 0


class KeyRecords:
    """Collects what requests tell about keys, and writes it to the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._used: set[str] = set()
        self._noted_at: dict[str, float] = {}
        self._counts: dict[str, _Count] = {}
        self._pending = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note_use(self, key_id: str) -> None:
        """Notes that a key was used just now; once a minute is enough."""
        now = time.monotonic()
        with self._lock:
            if now - self._noted_at.get(key_id, -_RECORD_USE_SECONDS) < _RECORD_USE_SECONDS:
                return
            self._noted_at[key_id] = now
            self._used.add(key_id)
        self._write_soon()

    def count_request(self, key_id: str, minute: int) -> int:
        """Counts a request of a key and returns the number of this minute, as far as this process knows it."""
        with self._lock:
            count = self._counts.get(key_id)
            if count is None or count.minute != minute:
                count = self._counts[key_id] = _Count(minute)
            count.new += 1
            number = count.total + count.new
        self._write_soon()
        return number

    def stop(self) -> None:
        """Writes what is left, unless the database cannot be used."""
        self._stop.set()
        self._pending.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def _write_soon(self) -> None:
        self._pending.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._write_until_stopped, name="key-records", daemon=True)
                    self._thread.start()

    def _write_until_stopped(self) -> None:
        while not self._stop.is_set():
            self._pending.wait()
            self._pending.clear()
            self._write()
            self._stop.wait(_INTERVAL_SECONDS)
        if self._pending.is_set():
            self._write()

    def _write(self) -> None:
        with self._lock:
            used, self._used = self._used, set()
            counted = [(key_id, count, count.new) for key_id, count in self._counts.items() if count.new]
        if not used and not counted:
            return
        try:
            with self._database.write() as connection:
                if used:
                    keys.record_use(connection, sorted(used))
                counts = [(key_id, count.minute, new) for key_id, count, new in counted]
                totals = keys.count_requests(connection, counts) if counts else {}
        except SQLAlchemyError:
            _log.warning("The use of keys could not be written to the database; it will be tried again.")
            with self._lock:
                self._used |= used
            self._pending.set()
            return
        with self._lock:
            for key_id, count, new in counted:
                count.total, count.new = totals.get((key_id, count.minute), 0), count.new - new
