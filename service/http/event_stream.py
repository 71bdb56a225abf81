"""Server-sent events: a stream that costs a connection while nothing happens, and nothing else."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service.errors import ForbiddenError, RateLimitedError, UnauthorizedError
from service.http.dependencies import services_of
from service.http.places import place_of
from service.http.scoring_turns import departure
from service.store.sql.database import UNANSWERED

# Proxies close connections on which nothing comes for a minute.
_SIGN_OF_LIFE_SECONDS = 15.0


class EventStream(StreamingResponse):
    """Sends events as they come, until there are no more, the client leaves, or its key is no longer valid."""

    media_type = "text/event-stream"

    def __init__(self, request: Request, events: AsyncGenerator[str]) -> None:
        super().__init__(events)
        self._request, self._events = request, events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        leaving = asyncio.create_task(departure(receive))
        event = asyncio.create_task(self._next())
        clock = asyncio.get_running_loop().time
        due = clock() + _SIGN_OF_LIFE_SECONDS
        try:
            while not leaving.done():
                place_of(scope).rest()
                await asyncio.wait(
                    {event, leaving}, timeout=max(0.0, due - clock()), return_when=asyncio.FIRST_COMPLETED
                )
                place_of(scope).work()
                if event.done():
                    text = event.result()
                    if text is None:
                        break
                    await send(_piece(text))
                    event = asyncio.create_task(self._next())
                if clock() >= due:
                    due = clock() + _SIGN_OF_LIFE_SECONDS
                    if not await self._is_still_allowed():
                        break
                    await send(_piece(":\n\n"))
            if not leaving.done():
                await send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:  # the server stops
            await send({"type": "http.response.body", "body": b""})
        finally:
            for task in (event, leaving):
                task.cancel()
            await asyncio.gather(event, leaving, return_exceptions=True)
            await self._events.aclose()

    async def _next(self) -> str | None:
        return await anext(self._events, None)

    async def _is_still_allowed(self) -> bool:
        try:
            with suppress(RateLimitedError, *UNANSWERED):
                await services_of(self._request).gate.admit(self._request)
        except (UnauthorizedError, ForbiddenError):
            return False
        return True


def _piece(text: str) -> dict[str, object]:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}
