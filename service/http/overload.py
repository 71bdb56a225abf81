"""Middleware around every request: measures the load, and refuses requests under overload.

A client that does not read its answer is disconnected after a while; it would otherwise hold a place among the
concurrent requests for as long as it likes.
"""

import asyncio
import logging
import time
from collections.abc import Mapping

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problem_details import busy, headers_too_large
from service.metrics import Metrics

_log = logging.getLogger("framing")

_NEVER_REFUSED = ("/livez",)
_MAX_HEADER_BYTES = 2**16


class LimitRequests:
    """ASGI middleware: answers 503 while too many requests are in progress in this process, 431 to overlong headers."""

    def __init__(self, app: ASGIApp, max_requests: int, answer_seconds: float) -> None:
        self.app = app
        self._max_requests = max_requests
        self._answer_seconds = answer_seconds
        self._in_progress = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _NEVER_REFUSED:
            return await self.app(scope, receive, send)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _MAX_HEADER_BYTES:
            return await headers_too_large(scope["path"])(scope, receive, send)
        if self._in_progress >= self._max_requests:
            return await busy(scope["path"])(scope, receive, send)
        unread = False

        async def send_in_time(message: Message) -> None:
            nonlocal unread
            try:
                async with asyncio.timeout(self._answer_seconds):
                    await send(message)
            except TimeoutError:
                unread = True
                raise

        self._in_progress += 1
        try:
            return await self.app(scope, receive, send_in_time)
        except (TimeoutError, ClientDisconnect):
            if not unread:
                raise
            _log.info(
                "The answer to %s was not read for %g s; the client was disconnected.",
                scope["path"],
                self._answer_seconds,
            )
        finally:
            self._in_progress -= 1


class MeasureRequests:
    """ASGI middleware that counts and times requests by route template, never by raw path."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status = 500
        started = time.perf_counter()

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._metrics.in_progress.track_inprogress():
            try:
                await self.app(scope, receive, note_status)
            finally:
                method, route = _method(scope), _route(scope)
                self._metrics.requests.labels(method, route, status).inc()
                self._metrics.duration.labels(method, route).observe(time.perf_counter() - started)
        return None


def _method(scope: Mapping[str, object]) -> str:
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    method = str(scope["method"])
    return method if method in known else "other"


def _route(scope: Mapping[str, object]) -> str:
    return str(getattr(scope.get("route"), "path_format", "unmatched"))
