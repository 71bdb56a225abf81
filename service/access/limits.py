"""How many requests a key may make in a minute, over all processes and hosts, and how many wrong keys an address.

Each process counts requests for itself and adds up with the others in the database once a second, so that a limit holds
to within what a second brings, and a request seldom waits. Wrong keys each process counts for itself.
"""

import threading
import time
from collections import Counter
from dataclasses import dataclass

from anyio import to_thread

from service.errors import RateLimitedError
from service.store import request_counts
from service.store.callers import Caller
from service.store.sql.database import Database

_SYNC_SECONDS = 1.0
_MOST_ADDRESSES = 100_000


@dataclass(slots=True)
class _Count:
    """Requests of a key in a minute: what all had made at the last look, and what came here since."""

    minute: int
    all: int = 0
    here: int = 0
    looked_at: float = 0.0


class RateLimit:
    """Counts requests; 0 a minute is no limit."""

    def __init__(self, database: Database, per_minute: int) -> None:
        self._database, self._limit = database, per_minute
        self._counts: dict[str, _Count] = {}
        self._lock = threading.Lock()

    async def take(self, caller: Caller) -> None:
        """Counts a request; raises `RateLimitedError` where the minute is full."""
        if not self._limit or caller.key_id is None:
            return
        now = time.time()
        with self._lock:
            count = self._counts.get(caller.key_id)
            if count is None or count.minute != int(now // 60):
                count = self._counts[caller.key_id] = _Count(int(now // 60))
            count.here += 1
            look = now - count.looked_at >= _SYNC_SECONDS
            if look:
                count.looked_at = now
        if look:
            await to_thread.run_sync(self._add_up, caller.key_id, count)
        if count.all + count.here > self._limit:
            raise RateLimitedError(f"This key may make {self._limit} requests a minute", 60 - int(now % 60))

    def _add_up(self, key_id: str, count: _Count) -> None:
        with self._lock:
            added, count.here = count.here, 0
        with self._database.write() as connection:
            count.all = request_counts.add(connection, key_id, count.minute, added)


class WrongKeys:
    """Counts keys that do not work by the address that shows them; 0 a minute is no limit."""

    def __init__(self, per_minute: int) -> None:
        self._limit = per_minute
        self._minute = 0
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def require_few(self, address: str) -> None:
        """Raises `RateLimitedError` where an address showed as many as it may in this minute."""
        now = time.time()
        with self._lock:
            full = self._limit and self._minute == int(now // 60) and self._counts[address] >= self._limit
        if full:
            raise RateLimitedError("Too many keys that do not work came from this address", 60 - int(now % 60))

    def count(self, address: str) -> None:
        """Notes one."""
        minute = int(time.time() // 60)
        with self._lock:
            if minute != self._minute or len(self._counts) >= _MOST_ADDRESSES:
                self._minute = minute
                self._counts.clear()
            self._counts[address] += 1
