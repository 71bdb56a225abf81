"""Middleware around every request: measures the load, and refuses requests under overload.

A client that does not read its answer is disconnected after a while; until then it holds no place among the requests
in progress (see service/http/places.py).
"""

import logging
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.places import Places
from service.http.problem_details import CLIENT_LEFT, headers_too_large
from service.metrics import Metrics

_log = logging.getLogger("framing")

_NEVER_REFUSED = ("/livez", "/readyz")
_MAX_HEADER_BYTES = 2**16


class LimitRequests:
    """ASGI middleware: answers 503 while too many requests are in progress in this process, 431 to overlong headers.

    `refuse` makes the answer 503: browsers get another than programs.
    """

    def __init__(
        self, app: ASGIApp, places: Places, answer_seconds: float, refuse: Callable[[Request], Response]
    ) -> None:
        self.app = app
        self._places = places
        self._refuse = refuse
        self._answer_seconds = answer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _NEVER_REFUSED:
            return await self.app(scope, receive, send)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _MAX_HEADER_BYTES:
            return await headers_too_large(scope["path"])(scope, receive, send)
        place = self._places.take(scope)
        if place is None:
            return await self._refuse(Request(scope))(scope, receive, send)
        unread = False

        async def send_in_time(message: Message) -> None:
            nonlocal unread
            try:
                async with place.waiting(self._answer_seconds):
                    await send(message)
            except TimeoutError:
                unread = True
                raise

        try:
            return await self.app(scope, receive, send_in_time)
        except (TimeoutError, ClientDisconnect) as error:
            if unread:
                _log.info(
                    "The answer to %s was not read for %g s; the client was disconnected.",
                    scope["path"],
                    self._answer_seconds,
                )
            elif not isinstance(error, ClientDisconnect):  # nobody is left to tell that the client left
                raise
        finally:
            place.leave()


class MeasureRequests:
    """ASGI middleware that counts and times requests by route template, never by raw path."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        # Of a request without an answer.
        status = CLIENT_LEFT
        started = time.perf_counter()

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._metrics.in_progress.track_inprogress():
            try:
                await self.app(scope, receive, note_status)
            except BaseException:
                status = HTTPStatus.INTERNAL_SERVER_ERROR if status == CLIENT_LEFT else status
                raise
            finally:
                method, route = _method(scope), _route(scope)
                self._metrics.requests.labels(method, route, int(status)).inc()
                self._metrics.duration.labels(method, route).observe(time.perf_counter() - started)
        return None


def _method(scope: Mapping[str, object]) -> str:
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    method = str(scope["method"])
    return method if method in known else "other"


def _route(scope: Mapping[str, object]) -> str:
    return str(getattr(scope.get("route"), "path_format", "unmatched"))
