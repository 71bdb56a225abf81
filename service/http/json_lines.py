"""JSON Lines as a stream: a result for each line, for any number of lines.

The body is read no faster than the client reads the results, so memory stays at what a few lines need. A client has to
read while it sends, as curl does; a client that sends everything first blocks once the buffers in between are full.
"""

import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from anyio import to_thread
from fastapi import Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from service.errors import RateLimitedError
from service.http.body import BodyTimeoutError, in_time
from service.http.dependencies import services_of
from service.http.problem_details import describe
from service.http.scoring_turns import AheadOfTheBody

MEDIA_TYPE = "application/x-ndjson"
# Lines that are answered together: enough to make a transaction cheap, few enough to answer soon.
_MAX_LINES = 32


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its number from 1; `content` is None if the line is longer than the limit."""

    number: int
    content: bytes | None


async def read_lines(chunks: AsyncIterable[bytes], limit: int) -> AsyncIterator[list[Line]]:
    """Yields the lines that are not blank, grouped as they arrive; buffers at most `limit` bytes of a line."""
    rest, number, overlong = b"", 0, False
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        lines = []
        for content in whole:
            number += 1
            if overlong or len(content) > limit:
                lines.append(Line(number, None))
            elif content.strip():
                lines.append(Line(number, content))
            overlong = False
        if len(rest) > limit:
            rest, overlong = b"", True
        for start in range(0, len(lines), _MAX_LINES):
            yield lines[start : start + _MAX_LINES]
    if overlong or rest.strip():
        yield [Line(number + 1, None if overlong or len(rest) > limit else rest)]


class LinesAnswer(Response):
    """Answers while the request is still arriving; `stores` says whether the lines are stored.

    Starlette's own streaming response waits for the client to disconnect, and would consume parts of the body.
    """

    media_type = MEDIA_TYPE

    def __init__(
        self, request: Request, limit: int, answer: Callable[[Sequence[Line]], bytes], *, stores: bool
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._request, self._limit, self._answer, self._stores = request, limit, answer, stores

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        receive, services = AheadOfTheBody(self._request.receive), services_of(self._request)
        chunks = in_time(self._request.scope, receive.chunks(), services.settings)
        number = 0
        try:
            async for lines in read_lines(chunks, self._limit):
                async with services.scoring_turns.turn(receive, stores=self._stores):
                    body = await to_thread.run_sync(self._answer, lines)
                if not number:
                    await self._start(send)
                number = lines[-1].number
                await send({"type": "http.response.body", "body": body, "more_body": True})
        except ClientDisconnect:
            return
        except (BodyTimeoutError, RateLimitedError) as error:
            if not number:
                raise
            await send({"type": "http.response.body", "body": self._last_line(number + 1, error), "more_body": True})
        finally:
            receive.close()
        if not number:
            await self._start(send)
        await send({"type": "http.response.body", "body": b""})

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

    def _last_line(self, number: int, error: Exception) -> bytes:
        """The result of the line that did not arrive, with its problem."""
        problem = describe(self._request.url.path, error)
        result = {"line": number, "status": problem.status, "problem": problem.model_dump(exclude_none=True)}
        return f"{json.dumps(result)}\n".encode()
