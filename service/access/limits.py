"""Limits per minute: of the requests of a key, over all processes and hosts, and of the wrong keys of an address.

Each process counts requests and adds its count to that in the database about once a second (`records`). No request
waits for that, and a key can exceed its limit by the requests of two seconds at most. Wrong keys are counted per
process.
"""

import threading
import time
from collections import Counter

from service.access.records import KeyRecords
from service.errors import RateLimitedError

_MOST_ADDRESSES = 100_000


class RateLimit:
    """Limits the requests of each key."""

    def __init__(self, records: KeyRecords, per_minute: int) -> None:
        self._records, self._limit = records, per_minute

    def take(self, key_id: str) -> None:
        """Counts a request of a key; raises `RateLimitedError` if it exceeds the limit of this minute."""
        now = time.time()
        if self._records.count_request(key_id, int(now // 60)) > self._limit:
            raise RateLimitedError(f"This key may make {self._limit} requests a minute", 60 - int(now % 60))


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
        """Counts a wrong key from an address; raises `RateLimitedError` if it has reached the limit of this minute."""
        self.require_few(address)
        minute = int(time.time() // 60)
        with self._lock:
            if minute != self._minute or len(self._counts) >= _MOST_ADDRESSES:
                self._minute = minute
                self._counts.clear()
            self._counts[address] += 1
