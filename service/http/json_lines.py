"""JSON Lines as a stream: lines in, a result for each out, however many there are.

The body is read no faster than results are taken, so memory stays what a few lines need. A client has to read while it
sends, as curl does; one that sends all first and reads then would wait for ever once the buffers between are full.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from anyio import to_thread
from fastapi import Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

MEDIA_TYPE = "application/x-ndjson"
_MOST_LINES = 32
"""Lines that are worked on together: enough for one transaction to be cheap, few enough to answer soon."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line by its number from 1; `content` is None where it was longer than the limit."""

    number: int
    content: bytes | None


async def read_lines(chunks: AsyncIterable[bytes], limit: int) -> AsyncIterator[list[Line]]:
    """The lines that are not blank, those together that came together; keeps at most `limit` bytes of one."""
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
        for start in range(0, len(lines), _MOST_LINES):
            yield lines[start : start + _MOST_LINES]
    if overlong or rest.strip():
        yield [Line(number + 1, None if overlong or len(rest) > limit else rest)]


class LinesAnswer(Response):
    """Answers while the request is still coming in.

    Starlette's own streaming response listens for the end of the connection meanwhile, and would take the body's parts.
    """

    media_type = MEDIA_TYPE

    def __init__(self, request: Request, limit: int, work: Callable[[Sequence[Line]], bytes]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._request, self._limit, self._work = request, limit, work

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async for lines in read_lines(self._request.stream(), self._limit):
                body = await to_thread.run_sync(self._work, lines)
                await send({"type": "http.response.body", "body": body, "more_body": True})
        except ClientDisconnect:
            return
        await send({"type": "http.response.body", "body": b""})
