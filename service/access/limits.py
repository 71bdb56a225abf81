"""Limits per minute: of the requests of a key, over all processes and hosts, and of the wrong keys of an address.

Each process counts requests and adds its count to that in the database once a second. Few requests wait for that, and a
key can exceed its limit by the requests of a second at most. Wrong keys are counted per process.
"""

import threading
import time
from collections import Counter
from dataclasses import dataclass

from anyio import to_thread

from service.errors import RateLimitedError
from service.store import keys
from service.store.sql.database import Database

_SYNC_SECONDS = 1.0
_MOST_ADDRESSES = 100_000


@dataclass(slots=True)
class _Count:
    """Requests of a key in a minute: the total at the last update, and those to this process since then."""

    minute: int
    total: int = 0
    new: int = 0
    updated_at: float = 0.0


class RateLimit:
    """Counts the requests of each key."""

    def __init__(self, database: Database, per_minute: int) -> None:
        self._database, self._limit = database, per_minute
        self._counts: dict[str, _Count] = {}
        self._lock = threading.Lock()

    async def take(self, key_id: str) -> None:
        """Counts a request of a key; raises `RateLimitedError` if it exceeds the limit of this minute."""
        now = time.time()
        with self._lock:
            count = self._counts.get(key_id)
            if count is None or count.minute != int(now // 60):
                count = self._counts[key_id] = _Count(int(now // 60))
            count.new += 1
            is_due = now - count.updated_at >= _SYNC_SECONDS
            if is_due:
                count.updated_at = now
        if is_due:
            await to_thread.run_sync(self._update, key_id, count)
        if count.total + count.new > self._limit:
            raise RateLimitedError(f"This key may make {self._limit} requests a minute", 60 - int(now % 60))

    def _update(self, key_id: str, count: _Count) -> None:
        with self._lock:
            added, count.new = count.new, 0
        with self._database.write() as connection:
            count.total = keys.count_requests(connection, key_id, count.minute, added)


class WrongKeys:
    """Counts wrong keys by the address that sent them; a limit of 0 allows any number."""

    def __init__(self, per_minute: int) -> None:
        self._limit = per_minute
        self._minute = 0
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def require_few(self, address: str) -> None:
        """Raises `RateLimitedError` if an address has reached the limit of this minute."""
        now = time.time()
        with self._lock:
            full = self._limit and self._minute == int(now // 60) and self._counts[address] >= self._limit
        if full:
            raise RateLimitedError("This address has sent too many wrong keys", 60 - int(now % 60))

    def count(self, address: str) -> None:
        """Counts a wrong key from an address."""
        minute = int(time.time() // 60)
        with self._lock:
            if minute != self._minute or len(self._counts) >= _MOST_ADDRESSES:
                self._minute = minute
                self._counts.clear()
            self._counts[address] += 1
