"""What is done when more is asked for than can be done, or said in more words than is sensible: refuse at once."""

from starlette.types import ASGIApp, Receive, Scope, Send

from service.problems import busy, headers_too_large

_ALWAYS = ("/livez",)
_LONGEST_HEADERS = 2**16


class LimitRequests:
    """ASGI middleware: 503 while too many requests are under way in this process, 431 for headers without end."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self._most = most
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            return await self.app(scope, receive, send)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _LONGEST_HEADERS:
            return await headers_too_large(scope["path"])(scope, receive, send)
        if self._under_way >= self._most:
            return await busy(scope["path"])(scope, receive, send)
        self._under_way += 1
        try:
            return await self.app(scope, receive, send)
        finally:
            self._under_way -= 1
