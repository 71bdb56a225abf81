"""Middleware that completes every answer: with headers for browsers, and for HEAD, which asks for headers alone.

Routes and pages set their own headers where they need others than these.
"""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# For what is not a page: if a browser shows it all the same, it runs nothing and stands in no frame; and no page of
# another site can use it as an image or a script.
_DEFAULTS = {
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    # With `no-referrer`, the forms of our own pages would come from the origin `null`.
    b"referrer-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
# Scheme and host of an address, and what browsers would read as another host after them.
_SERVER = re.compile(rb"^https?://[^/]*[/\\]*")


class CompleteAnswers:
    """ASGI middleware: adds headers that an answer lacks, answers HEAD like GET, and redirects to this server only."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": complete(message.get("headers", ()))}
            await send(message)

        if scope["method"] != "HEAD":
            return await self.app(scope, receive, send_complete)
        as_get = {**scope, "method": "GET"}
        try:
            await self.app(as_get, receive, send_complete)  # the server below sends no body to HEAD
        finally:
            scope["route"] = as_get.get("route")  # by which the request is counted


def complete(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Headers of an answer, and those that it lacks."""
    present = {name.lower() for name, _ in headers}
    # What has a tag may be stored, and is asked about again; nothing else stays in a browser when its user signs out.
    cache_control = b"private, no-cache" if b"etag" in present else b"no-store"
    defaults = {**_DEFAULTS, b"cache-control": cache_control}
    lacking = [(name, value) for name, value in defaults.items() if name not in present]
    # The framework redirects to whatever host the request gave.
    own = [(name, _SERVER.sub(b"/", value) if name.lower() == b"location" else value) for name, value in headers]
    return [*own, *lacking]
