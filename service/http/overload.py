"""What is done when more is asked for than can be done, or said in more words than is sensible: refuse at once.

Clients that ask and do not read are let go after a while: each would else take a place among the requests under way for
as long as it likes.
"""

import asyncio
import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problem_details import busy, headers_too_large

_LOG = logging.getLogger("framing")

_ALWAYS = ("/livez",)
_LONGEST_HEADERS = 2**16


class LimitRequests:
    """ASGI middleware: 503 while too many requests are under way in this process, 431 for headers without end."""

    def __init__(self, app: ASGIApp, most: int, answer_seconds: float) -> None:
        self.app = app
        self._most = most
        self._answer_seconds = answer_seconds
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            return await self.app(scope, receive, send)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _LONGEST_HEADERS:
            return await headers_too_large(scope["path"])(scope, receive, send)
        if self._under_way >= self._most:
            return await busy(scope["path"])(scope, receive, send)
        unread = False

        async def patient(message: Message) -> None:
            nonlocal unread
            try:
                async with asyncio.timeout(self._answer_seconds):
                    await send(message)
            except TimeoutError:
                unread = True
                raise

        self._under_way += 1
        try:
            return await self.app(scope, receive, patient)
        except (TimeoutError, ClientDisconnect):
            if not unread:
                raise
            _LOG.info(
                "The answer to %s was not read for %g s; the client was let go.", scope["path"], self._answer_seconds
            )
        finally:
            self._under_way -= 1
