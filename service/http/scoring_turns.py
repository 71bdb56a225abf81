"""Turns among the requests that score: only so many score at once, and none for longer than somebody waits for it.

Other requests therefore always find a free thread, whatever is being scored.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from service.http.places import FairTurns
from training.encoder.stopping import StopSignal, current_signal


class ScoringTurns:
    """Lets `at_once` requests score at the same time; each is stopped when its client leaves or `seconds` are over."""

    def __init__(self, at_once: int, seconds: float) -> None:
        self._turns = FairTurns(at_once)
        self._seconds = seconds

    @asynccontextmanager
    async def turn(self, receive: Receive, *, stores: bool = False) -> AsyncIterator[None]:
        """Waits for a turn. The body has been received, so that `receive` has nothing left but the client's departure.

        The time that the request waits counts, so that no client waits for much longer than that. Requests that also
        store may have to wait for the database, so they never take all turns.
        """
        loop = asyncio.get_running_loop()
        watching: list[asyncio.Task[None]] = []

        def watch() -> None:
            if not (watching or signal.is_stopped):
                watching.append(loop.create_task(_stop_on_departure(receive, signal)))

        signal = StopSignal(self._seconds, lambda: loop.call_soon_threadsafe(watch))
        token = current_signal.set(signal)
        try:
            async with self._turns.turn("stores" if stores else ""):
                yield
        finally:
            # Also when the server stops: it cancels its requests, but their threads end only at this signal.
            signal.stop()
            current_signal.reset(token)
            for task in watching:
                task.cancel()


async def _stop_on_departure(receive: Receive, signal: StopSignal) -> None:
    await departure(receive)
    signal.stop()


async def departure(receive: Receive) -> None:
    """Waits until the client leaves; what it still sends is passed over."""
    while (await receive())["type"] != "http.disconnect":
        pass


class AheadOfTheBody:
    """Receives the next message of a request early, so that a departure is noticed while its body still arrives.

    The messages are passed on by `chunks`; as the function `receive` of a turn, an object waits for the departure.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._next: asyncio.Task[Message] | None = None
        self._complete = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yields the body; raises `ClientDisconnect`."""
        while not self._complete:
            message = await self._ahead()
            self._next = None
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            self._complete = not message.get("more_body", False)
            yield message.get("body", b"")

    async def __call__(self) -> Message:
        """Returns the message that ends the request; the piece of the body that comes next is left to `chunks`."""
        message = await asyncio.shield(self._ahead())
        if message["type"] != "http.disconnect":
            await asyncio.Event().wait()  # a client that still sends has not left
        return message

    def close(self) -> None:
        """Receives nothing any more."""
        if self._next is not None:
            self._next.cancel()

    def _ahead(self) -> "asyncio.Task[Message]":
        if self._next is None:
            self._next = asyncio.create_task(self._read())
        return self._next

    async def _read(self) -> Message:
        return await self._receive()
