"""Where a request comes from: the host that it names, a proxy that forwarded it, or a page of another site.

A browser lets the pages of any site send requests to this machine, and lets them read the answers if it takes both for
the same host: an attacker's name may lead here (DNS rebinding). What such a page cannot choose is the Host header.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import ForbiddenError, ForwardedError, MisdirectedError
from service.settings import host_of, is_loopback

# Probes name the address of a pod or of a container, and learn nothing but whether the service is well.
_PROBES = ("/livez", "/readyz")
_FORWARDING = ("forwarded", "via", "true-client-ip", "cf-connecting-ip", "fastly-client-ip", "client-ip")
_FORWARDING_PREFIXES = ("x-forwarded", "x-real-", "x-original-", "x-client-ip", "x-cluster-client-ip", "x-envoy-")
# A name and a port are shorter.
_LONGEST_HOST = 300
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class CheckOrigin:
    """ASGI middleware: answers requests that may not come from where they come from, whoever the caller is."""

    def __init__(
        self,
        app: ASGIApp,
        check: Callable[[Request], Awaitable[None]],
        answer: Callable[[Request, Exception], Awaitable[Response]],
    ) -> None:
        self.app = app
        self._check = check
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in _PROBES:
            request = Request(scope)
            try:
                await self._check(request)
            except (ForwardedError, MisdirectedError, ForbiddenError) as error:
                return await (await self._answer(request, error))(scope, receive, send)
        return await self.app(scope, receive, send)


def require_known_host(request: Request, allowed: tuple[str, ...]) -> None:
    """Raises `MisdirectedError` unless the request names an allowed host, or this machine by a name of loopback."""
    names = request.headers.getlist("host")
    if len(names) != 1 or not _is_known(names[0], allowed):
        raise MisdirectedError(
            "This server is not known under the name that the request gives: FRAMING_ALLOWED_HOSTS lists its names. "
            "Without keys it is for the user of this machine, at http://127.0.0.1 or http://localhost."
        )


def _is_known(value: str, allowed: tuple[str, ...]) -> bool:
    return len(value) <= _LONGEST_HOST and _is_own_host(value, allowed)


@lru_cache(maxsize=1000)
def _is_own_host(value: str, allowed: tuple[str, ...]) -> bool:
    host = host_of(value)
    return host in allowed or is_loopback(host)


def require_local(request: Request, allowed: tuple[str, ...]) -> None:
    """Raises an error for a request to a server without keys that its user's own programs did not send.

    Only a name of this machine, no proxy, and no page of another host. A proxy that adds no header of its own still
    shows by HTTP/1.0, which nginx speaks to servers by default, and programs of today do not.
    """
    require_known_host(request, allowed)
    is_old = request.scope["http_version"] == "1.0"
    if is_old or any(map(_is_forwarding, request.headers)):
        sign = " (it came in HTTP/1.0, as proxies speak)" if is_old else ""
        raise ForwardedError(
            f"A proxy forwarded this request{sign}, and this server has no keys: it would let everybody in whom the "
            "proxy lets through. Make a key first: `framing keys create NAME --role admin`."
        )
    origin = request.headers.get("origin")
    if origin is not None and not _is_known(_host_in(origin), allowed):
        raise _of_another_site()


def _is_forwarding(header: str) -> bool:
    return header in _FORWARDING or header.startswith(_FORWARDING_PREFIXES)


def refuse_other_sites(request: Request) -> None:
    """Raises `ForbiddenError` for a request that a page of another site has made.

    That page must not use the session of its visitor, or the fact that the visitor is on this machine; it may only send
    the visitor here, by a link. Browsers say where a request comes from (Fetch Metadata; older browsers send `Origin`);
    other programs say neither.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        is_own = site in ("same-origin", "none") or _is_visit(request)
    else:
        origin = request.headers.get("origin")
        is_own = origin is None or _host_in(origin) == request.headers.get("host") != ""
    if not is_own:
        raise _of_another_site()


def _host_in(origin: str) -> str:
    """Host and port of an origin; empty where it is `null` or none that a browser sends."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _is_visit(request: Request) -> bool:
    """Whether the browser shows the answer as a page of its own, which no other page can read."""
    headers = request.headers
    return (
        request.method in SAFE_METHODS
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _of_another_site() -> ForbiddenError:
    return ForbiddenError("A page of another site made this request, which is not allowed.")
