"""Connections whose clients do not finish what they begin to send: no route sees them, so they are ended here."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Beyond this the headers are not even read; what is longer than a request may have receives 431 from the application.
_MOST_BYTES = 2**18


class BoundedConnection(HttpToolsProtocol):
    """A connection that is closed unless whole headers arrive within some seconds, and are not endless."""

    def __init__(self, *arguments: Any, seconds: float, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._seconds = seconds
        self._due: asyncio.TimerHandle | None = None
        # Bytes since the last headers that were complete or the last piece of a body.
        self._bytes = 0
        self._has_progressed = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._has_progressed = False
        super().data_received(data)
        self._bytes = 0 if self._has_progressed else self._bytes + len(data)
        if self._bytes > _MOST_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers are too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_headers()

    def on_headers_complete(self) -> None:
        self._headers_came()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._has_progressed = True
        super().on_body(body)
        if self.cycle is not None and self.cycle.response_complete:
            # It was answered before it had arrived; nothing else would end the connection of a client that stalls now.
            self._await_headers()

    def _await_headers(self) -> None:
        if self._due is None:
            self._due = self.loop.call_later(self._seconds, self._give_up)

    def _headers_came(self) -> None:
        self._has_progressed = True
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
        self._due = None
        # An answer that is still being sent belongs to an earlier request.
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()
