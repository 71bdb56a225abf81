"""Request bodies: bounded, UTF-8, strict JSON.

FastAPI's own `max_body_size` is not used, because it answers in plain text instead of problem details.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
from fastapi import Request
from starlette.types import Scope

from labels.errors import FramingError
from service.http.dependencies import GuardedRoute, services_of

_MAX_DEPTH = 32
# The escape of half of a character.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LINES = "framing.json_lines"
_LINES_TYPES = (b"application/x-ndjson", b"application/jsonl", b"application/jsonlines")


class BodyError(FramingError):
    """The body is not JSON in UTF-8 as defined by RFC 8259."""


class BodyTooLargeError(BodyError):
    """The body is longer than the service accepts."""


class BodyTimeoutError(BodyError):
    """The body did not arrive within the time that the service waits."""


@contextmanager
def _in_time(seconds: float) -> Iterator[None]:
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise BodyTimeoutError(f"The body did not arrive within {seconds:g} seconds.") from None


class StrictJsonRequest(Request):
    """A request whose JSON is strict: UTF-8 only, no NaN, no duplicate names, no lone surrogates, not too deep."""

    async def body(self) -> bytes:
        """Reads the body; raises `BodyTooLargeError` as soon as it is too large, or `BodyTimeoutError`."""
        if not hasattr(self, "_body"):
            settings = services_of(self).settings
            limit = settings.max_body_mib * 2**20
            declared = self.headers.get("content-length", "0")
            size, chunks = int(declared) if declared.isdigit() else 0, []
            received = 0
            if size <= limit:
                with _in_time(settings.body_seconds):
                    async for chunk in self.stream():
                        chunks.append(chunk)
                        received += len(chunk)
                        if received > limit:
                            break
            if max(size, received) > limit:
                raise BodyTooLargeError(f"The body is larger than {limit // 2**20} MiB.")
            self._body = b"".join(chunks)
        return self._body

    async def json(self) -> Any:
        """Parses the body; a list for JSON Lines. Raises `BodyError` or `json.JSONDecodeError`."""
        if not hasattr(self, "_json"):
            body = await self.body()
            if self.scope.get(_LINES):
                self._json: Any = [parse_json(line) for line in body.splitlines() if line.strip()]
            else:
                self._json = parse_json(body)
        return self._json


class StrictJsonRoute(GuardedRoute):
    """A route that reads its body with `StrictJsonRequest`; JSON Lines are read as a JSON list."""

    def get_route_handler(self) -> Any:
        handler = super().get_route_handler()

        async def strict(request: Request) -> Any:
            return await handler(StrictJsonRequest(_as_json(request.scope), request.receive))

        return strict


def _as_json(scope: Scope) -> Scope:
    """Marks a request with JSON Lines and declares its body as JSON, the only type that FastAPI parses."""
    headers = dict(scope["headers"])
    if headers.get(b"content-type", b"").split(b";")[0].strip().lower() not in _LINES_TYPES:
        return scope
    headers[b"content-type"] = b"application/json"
    return {**scope, "headers": list(headers.items()), _LINES: True}


def parse_json(body: bytes) -> Any:
    """Parses strict JSON; raises `BodyError`, or `json.JSONDecodeError` for bad syntax."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise BodyError("The body is not valid UTF-8.") from None
    if text.startswith("\ufeff"):
        raise BodyError("The body starts with a byte order mark; send plain UTF-8.")
    if _depth(text) > _MAX_DEPTH:
        raise BodyError(f"The body is nested deeper than {_MAX_DEPTH} levels.")
    try:
        content = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise BodyError(f"The body is not valid JSON: {error}.") from error
    if _SURROGATE.search(text) and not _is_unicode(content):
        raise BodyError("The body contains a lone surrogate (half of an escaped character).")
    return content


def _depth(text: str) -> int:
    """The nesting of a JSON text: the most brackets that are open at once, outside of strings."""
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
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
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name occurs twice in an object")
    return content
