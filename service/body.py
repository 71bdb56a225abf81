"""Request bodies: bounded, whole, UTF-8, JSON without tricks. Read before any route sees the request."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labels.errors import FramingError

_DEEPEST = 32


class BodyError(FramingError):
    """The body is not JSON in UTF-8 as RFC 8259 has it."""


class BodyTooLargeError(BodyError):
    """The body is longer than the service takes."""


class StrictJsonRequest(Request):
    """A request whose JSON is strict: UTF-8 only, no NaN, no duplicate names, no lone surrogates, not too deep."""

    async def json(self) -> Any:
        """The parsed body; raises `BodyError`, or `json.JSONDecodeError` for what is not JSON."""
        if not hasattr(self, "_json"):
            self._json = parse_json(await self.body())
        return self._json


class StrictJsonRoute(APIRoute):
    """A route that reads its body by `StrictJsonRequest`."""

    def get_route_handler(self) -> Any:
        handler = super().get_route_handler()

        async def strict(request: Request) -> Any:
            return await handler(StrictJsonRequest(request.scope, request.receive))

        return strict


def parse_json(body: bytes) -> Any:
    """Parses strict JSON."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise BodyError("The body is not valid UTF-8.") from None
    if text.startswith("\ufeff"):
        raise BodyError("The body starts with a byte order mark; send plain UTF-8.")
    if _depth(text) > _DEEPEST:
        raise BodyError(f"The body is nested deeper than {_DEEPEST} levels.")
    try:
        content = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise BodyError(f"The body is not valid JSON: {error}.") from error
    if "\\u" in text and not _is_unicode(content):
        raise BodyError("The body escapes half of a character (a lone surrogate).")
    return content


def _depth(text: str) -> int:
    """An upper bound of the nesting: opening brackets that are not closed yet, wherever they stand."""
    if text.count("[") + text.count("{") <= _DEEPEST:
        return 0
    depth = deepest = 0
    inside = escaped = False
    for character in text:
        if inside:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                inside = False
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _is_unicode(content: Any) -> bool:
    try:
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in one object")
    return found


class LimitBody:
    """ASGI middleware that reads the whole body, up to a limit, before the application starts."""

    def __init__(self, app: ASGIApp, limit: int, refuse: Callable[[Request, Exception], Awaitable[Response]]) -> None:
        self.app = app
        self.limit = limit
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return await self.app(scope, receive, send)
        body = await self._read(scope, receive)
        if body is None:
            error = BodyTooLargeError(f"The body is larger than {self.limit // 2**20} MiB.")
            response = await self.refuse(Request(scope), error)
            return await response(scope, receive, send)
        delivered = False

        async def replay() -> Message:
            nonlocal delivered
            if delivered:
                return await receive()
            delivered = True
            return {"type": "http.request", "body": body, "more_body": False}

        return await self.app(scope, replay, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.limit:
            return None
        chunks, size = [], 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b"".join(chunks)
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self.limit:
                return None
            if not message.get("more_body", False):
                return b"".join(chunks)
