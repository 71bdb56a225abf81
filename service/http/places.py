"""Places: how much of this process the requests of each caller may hold at once, so that others always find room.

A request holds a place while the process works on it, and none while it waits for its client: for more of a body, for
an answer to be read, for an event to send. Until its caller is known, a request belongs to its address.

No caller may take all of anything: each takes at most three times of what all together leave free. A single caller
can hold three quarters of the places, two callers three sevenths each, and the next caller still finds room. On a
server without keys there is a single user, for whom this does not hold.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import cast

from anyio import CapacityLimiter
from starlette.types import Scope

from labels.errors import FramingError
from service.errors import RateLimitedError
from service.store.callers import LOCAL, Caller

_GREED = 3
# Requests that wait for their clients cost little beside memory, so there may be more of them.
_PRESENT_PER_PLACE = 4
_HEALTH_THREADS = 2
_SCOPE = "framing.place"
# The user of a server without keys.
_ALONE = ""

# To whom the present request belongs; turns are shared out by it.
_owner: ContextVar[str] = ContextVar("owner", default=_ALONE)


class BusyError(FramingError):
    """Too many requests are in progress."""

    def __init__(self) -> None:
        super().__init__("Too many requests are in progress; try again in a second.")


def _may_take(own: int, free: int) -> bool:
    return own < _GREED * free


class Places:
    """The places of a process: at most `most` requests of known callers are worked on at once.

    As many more may be worked on before their callers are known, such as those that sign in. A caller may have
    `streams` answers open that are sent while they are made.
    """

    def __init__(self, most: int, streams: int) -> None:
        self._most, self._streams_each = most, streams
        self._unknown_each = max(2, most // 8)
        self._present = 0
        self._unknown = 0
        self._known = 0
        self._working: Counter[str] = Counter()
        # All requests of known callers, also those that wait for their clients.
        self._held: Counter[str] = Counter()
        self._bodies: Counter[str] = Counter()
        self._streams: Counter[str] = Counter()
        # The waiting of unknown callers by address, oldest first; each can be ended.
        self._waiting: dict[str, list[asyncio.Timeout]] = {}
        # Threads for probes alone.
        self.health_threads = CapacityLimiter(_HEALTH_THREADS)

    def take(self, scope: Scope) -> "Place | None":
        """A place for a request whose caller is not known yet; None if there is no room."""
        # Under overload most requests end here: identifying their callers would cost more than refusing them.
        known_are_full = self._known >= self._most and scope["path"].startswith("/v1/")
        if known_are_full or self._unknown >= self._most or not (self._absent() > 0 or self._end_a_wait()):
            return None
        client = scope.get("client")
        place = scope[_SCOPE] = Place(self, f"address {client[0] if client else ''}")
        self._present += 1
        self._unknown += 1
        return place

    def _admit(self, place: "Place", owner: str) -> None:
        free = self._most - self._known
        if free <= 0:
            raise BusyError
        if owner != _ALONE and not _may_take(self._working[owner], free):
            raise RateLimitedError(f"This key has {self._working[owner]} requests in progress, and others need room", 1)
        # Where no room is left this request came in all the same, so its caller has some.
        if owner != _ALONE and not _may_take(self._held[owner], max(1, self._absent())):
            raise RateLimitedError(f"This key has {self._held[owner]} requests open, and others need room", 1)
        self._unknown -= 1
        self._known += 1
        self._working[owner] += 1
        self._held[owner] += 1
        place.owner, place.is_known = owner, True

    def _work(self, place: "Place", change: int) -> None:
        if not place.is_known:
            self._unknown += change
            return
        self._known += change
        _add(self._working, place.owner, change)

    def _leave(self, place: "Place") -> None:
        self._present -= 1
        if place.is_known:
            _add(self._held, place.owner, -1)
        if place.holds_stream:
            _add(self._streams, place.owner, -1)

    def _absent(self) -> int:
        """How many more requests may be present."""
        return _PRESENT_PER_PLACE * self._most - self._present

    def _end_a_wait(self) -> bool:
        """Ends the oldest waiting of the address with most of them, of which an attacker can have many."""
        others = max(self._waiting.values(), key=len, default=[])
        return bool(others) and _end_oldest(others)

    def _open_stream(self, place: "Place") -> None:
        if self._streams[place.owner] >= self._streams_each:
            raise RateLimitedError(
                f"A caller may have at most {self._streams_each} streams and exports open at once", 1
            )
        self._streams[place.owner] += 1

    @contextmanager
    def _body(self, place: "Place") -> Iterator[None]:
        """Counts a body that is waited for; a key may leave only so many unfinished."""
        if place.is_known and place.owner != _ALONE and self._bodies[place.owner] >= max(1, self._most // 2):
            raise RateLimitedError(
                f"This key has {self._bodies[place.owner]} requests whose bodies have not arrived, which is the most", 1
            )
        self._bodies[place.owner] += 1
        try:
            yield
        finally:
            _add(self._bodies, place.owner, -1)

    @contextmanager
    def _unknown_waits(self, address: str, waiting: asyncio.Timeout) -> Iterator[None]:
        """Keeps the waiting of an address short: where too many of its requests wait, the oldest is ended."""
        others = self._waiting.setdefault(address, [])
        if len(others) >= self._unknown_each:
            _end_oldest(others)
        others.append(waiting)
        try:
            yield
        finally:
            if waiting in others:
                others.remove(waiting)
            if not others:
                self._waiting.pop(address, None)


class Place:
    """What a request holds, from its first line to the end of its answer."""

    __slots__ = ("_is_working", "_places", "holds_stream", "is_known", "owner")

    def __init__(self, places: Places, owner: str) -> None:
        self._places, self.owner = places, owner
        self.is_known = self.holds_stream = False
        self._is_working = True

    def admit(self, caller: Caller) -> None:
        """Notes whose request it is; raises `BusyError`, or `RateLimitedError` if the caller holds too much."""
        owner = _ALONE if caller == LOCAL else f"key {caller.key_id}"
        self._places._admit(self, owner)
        _owner.set(owner)

    def open_stream(self) -> None:
        """Counts an answer that is sent while it is made; raises `RateLimitedError` if the caller has too many."""
        if not self.holds_stream:
            self._places._open_stream(self)
            self.holds_stream = True

    def rest(self) -> None:
        """Gives the place back for as long as nothing is to be done; `work` takes it again."""
        if self._is_working:
            self._is_working = False
            self._places._work(self, -1)

    def work(self) -> None:
        """Takes the place again, also where none is free: whoever came in is served."""
        if not self._is_working:
            self._is_working = True
            self._places._work(self, 1)

    def leave(self) -> None:
        """Ends the request."""
        self.rest()
        self._places._leave(self)

    @asynccontextmanager
    async def waiting(self, seconds: float, *, body: bool = False) -> AsyncIterator[None]:
        """Waits for the client, for some seconds at most; raises `TimeoutError`.

        For a body it raises `RateLimitedError` if too many of the caller are waited for.
        """
        worked = self._is_working
        with self._places._body(self) if body else nullcontext():
            self.rest()
            try:
                async with asyncio.timeout(seconds) as timeout:
                    with nullcontext() if self.is_known else self._places._unknown_waits(self.owner, timeout):
                        yield
            finally:
                if worked:
                    self.work()


def place_of(scope: Scope) -> Place:
    """The place that a request holds."""
    return cast(Place, scope[_SCOPE])


def _end_oldest(waiting: list[asyncio.Timeout]) -> bool:
    """Ends the oldest waiting at once; False if its time is up anyway."""
    oldest = waiting.pop(0)
    if oldest.expired():
        return False
    oldest.reschedule(asyncio.get_running_loop().time())
    return True


def _add(counts: Counter[str], owner: str, change: int) -> None:
    counts[owner] += change
    if not counts[owner]:
        del counts[owner]


class FairTurns:
    """Turns of which `at_once` are taken at the same time; who waits is served caller by caller."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._taken: Counter[str] = Counter()
        # Those who wait by caller; the caller whose turn it is first.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, kind: str = "") -> AsyncIterator[None]:
        """Waits for a turn. Turns of a kind never take all, so that other requests of the same caller go on."""
        owner = f"{_owner.get()}{kind}"
        await self._take(owner)
        try:
            yield
        finally:
            self._give_back(owner)

    def _may_take(self, owner: str) -> bool:
        return self._free > 0 and (owner == _ALONE or _may_take(self._taken[owner], self._free))

    async def _take(self, owner: str) -> None:
        if owner not in self._waiting and self._may_take(owner):
            self._grant(owner)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(owner, deque())
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was granted at the moment at which the client left
                self._give_back(owner)
            else:
                self._forget(owner, turn)
            raise

    def _forget(self, owner: str, turn: "asyncio.Future[None]") -> None:
        queue = self._waiting.get(owner)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[owner]

    def _grant(self, owner: str) -> None:
        self._free -= 1
        self._taken[owner] += 1

    def _give_back(self, owner: str) -> None:
        self._free += 1
        _add(self._taken, owner, -1)
        while (following := next((owner for owner in self._waiting if self._may_take(owner)), None)) is not None:
            queue = self._waiting.pop(following)
            turn = queue.popleft()
            if queue:
                self._waiting[following] = queue  # behind the other callers
            if not turn.done():
                self._grant(following)
                turn.set_result(None)
