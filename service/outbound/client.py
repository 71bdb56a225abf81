"""The gate through which requests to other machines go: to named hosts alone, within a time and a size.

Each request has connections of its own, to addresses that were checked a moment before. Proxies of the environment are
not used: they would resolve the names themselves.
"""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from threading import Thread
from time import monotonic
from typing import Any

import httpcore2
import httpx2

from training.errors import OutboundError, OutboundRefusedError
from training.outbound.policy import Policy, parts_of, port_of

_MIB = 2**20
_MOVED = (301, 302, 303, 307, 308)
# What another host may learn of a request that was meant for the first.
_FOR_ANY_HOST = ("accept", "accept-language", "if-none-match", "if-modified-since")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a request may take with all its redirects, how large its answer may be, and how often it is sent on."""

    seconds: float = 30
    size: int = 8 * _MIB
    redirects: int = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read to its end; names of headers are in small letters, `url` is where it came from."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str


class Gate(httpx2.BaseTransport):
    """A transport for `httpx2` that reaches only what a policy permits, and reads no more and no longer than it may.

    Its time begins when it is made, so it serves a single request and the redirects of that.
    """

    def __init__(self, policy: Policy, bounds: Bounds) -> None:
        self._policy, self._bounds = policy, bounds
        self._deadline = monotonic() + bounds.seconds

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self._policy.require_url(str(request.url))
        try:
            # Without a pool that outlives the request, each request checks the addresses again.
            with httpcore2.ConnectionPool(
                ssl_context=_certificates(), network_backend=_Checked(self._policy, self._deadline)
            ) as connections:
                return self._answered(connections, request)
        except (httpcore2.TimeoutException, TimeoutError) as error:
            raise OutboundError(f"{_place(request)} did not answer within {self._bounds.seconds:g} seconds.") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol, OSError) as error:
            reason = str(error) or type(error).__name__
            raise OutboundError(f"{_place(request)} did not answer as it should: {reason}.") from error

    def _answered(self, connections: httpcore2.ConnectionPool, request: httpx2.Request) -> httpx2.Response:
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        with connections.stream(
            request.method, url, headers=request.headers.raw, content=request.read() or None, extensions={"timeout": {}}
        ) as answer:
            headers = httpx2.Headers(answer.headers)
            self._require_acceptable(request, headers)
            content = bytearray()
            for piece in answer.iter_stream():
                content += piece
                self._require_size(request, len(content))
        return httpx2.Response(answer.status, headers=answer.headers, content=bytes(content))

    def _require_acceptable(self, request: httpx2.Request, headers: httpx2.Headers) -> None:
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            # A small answer could unpack to any size.
            raise OutboundError(f"{_place(request)} packed its answer, although it was not to.")
        if request.method != "HEAD" and headers.get("content-length", "").isdecimal():
            self._require_size(request, int(headers["content-length"]))

    def _require_size(self, request: httpx2.Request, size: int) -> None:
        if size > self._bounds.size:
            raise OutboundError(f"{_place(request)} answers with more than {self._bounds.size / _MIB:g} MiB.")


class Outbound:
    """Sends requests to the hosts that a policy names. Without named hosts it sends none."""

    def __init__(self, policy: Policy, bounds: Bounds | None = None) -> None:
        self._policy, self._bounds = policy, bounds or Bounds()

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Returns the answer of the place where the redirects lead; raises `OutboundError`.

        Each redirect is checked like the first URL; another host gets none of the headers that could hold a secret.
        """
        gate, sent = Gate(self._policy, self._bounds), dict(headers or {})
        for _ in range(self._bounds.redirects + 1):
            answer = _sent(gate, "GET", url, sent)
            if answer.status not in _MOVED or "location" not in answer.headers:
                return answer
            target = _target(url, answer.headers["location"])
            if _origin(target) != _origin(url):
                sent = {name: value for name, value in sent.items() if name.lower() in _FOR_ANY_HOST}
            url = target
        raise OutboundError(f"The URL leads to another more than {self._bounds.redirects} times.")

    def post(self, url: str, content: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Sends content and returns the answer; raises `OutboundError`. Content is not sent on to another URL."""
        answer = _sent(Gate(self._policy, self._bounds), "POST", url, headers or {}, content)
        if answer.status in _MOVED:
            raise OutboundError(f"{_named(url)} sends the content on to another URL: name that.")
        return answer


class _Checked(httpcore2.NetworkBackend):
    """Connects to the addresses that a policy permits, and lets nothing wait beyond a moment."""

    def __init__(self, policy: Policy, deadline: float) -> None:
        self._policy, self._deadline = policy, deadline
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - all times follow from the moment
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: Exception = OutboundError(f"The name {host} has no address.")
        for address in _within(self._deadline, self._policy, host, port):
            try:
                stream = self._sockets.connect_tcp(address, port, _left(self._deadline), local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _Bounded(stream, self._deadline)
        raise failure


class _Bounded(httpcore2.NetworkStream):
    """A connection on which everything ends at a moment, however little arrives at a time."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - follows from the moment
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - follows from the moment
        connection, rest = self._stream.get_extra_info("socket"), memoryview(buffer)
        try:
            while rest:
                connection.settimeout(_left(self._deadline))
                rest = rest[connection.send(rest) :]
        except TimeoutError as error:
            raise httpcore2.WriteTimeout from error
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - follows from the moment
    ) -> httpcore2.NetworkStream:
        return _Bounded(self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _within(deadline: float, policy: Policy, host: str, port: int) -> list[str]:
    """Returns the addresses of a host, for which the system's resolver may take longer than there is time."""
    outcome: list[list[str] | OutboundError] = []

    def resolve() -> None:
        try:
            outcome.append(policy.addresses(host, port))
        except OutboundError as error:
            outcome.append(error)

    thread = Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(_left(deadline))
    if not outcome:
        raise TimeoutError
    if isinstance(outcome[0], OutboundError):
        raise outcome[0]
    return outcome[0]


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout
    return left


def _sent(gate: Gate, method: str, url: str, headers: Mapping[str, str], content: bytes = b"") -> Answer:
    parts_of(url)
    own = {"User-Agent": "media-framing", "Accept-Encoding": "identity", "Connection": "close"}
    try:
        request = httpx2.Request(method, url, headers={**headers, **own}, content=content or None)
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise OutboundRefusedError(f"'{url[:200]}' is not a URL.") from error
    answer = gate.handle_request(request)
    return Answer(answer.status_code, dict(answer.headers), answer.content, url)


def _target(url: str, location: str) -> str:
    try:
        return str(httpx2.URL(url).join(location))
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise OutboundRefusedError(f"{_named(url)} leads to '{location[:200]}', which is not a URL.") from error


def _origin(url: str) -> tuple[str, str, int]:
    parts = parts_of(url)
    return parts.scheme, parts.hostname or "", port_of(parts)


def _place(request: httpx2.Request) -> str:
    return _named(str(request.url))


def _named(url: str) -> str:
    """The place that a sentence names; the path may hold a secret, as those of webhooks do."""
    parts = parts_of(url)
    return f"{parts.scheme}://{parts.netloc}"


@cache
def _certificates() -> ssl.SSLContext:
    # Those of the system, or of SSL_CERT_FILE where an organisation has its own.
    return httpx2.create_ssl_context()
