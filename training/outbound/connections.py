"""Connections of the clients that fsspec uses for object stores and web servers (aiohttp), held to a policy.

Names are resolved and checked by the policy; aiohttp then connects to these addresses and no others. A URL can have an
address in place of a name, which is resolved by nobody: the socket is made only for an address that was checked.
"""

import asyncio
import socket
from collections import deque
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from training.outbound.policy import Policy

# The last addresses of names; a store has a few at a time.
_REMEMBERED = 256


class CheckedAddresses(AbstractResolver):
    """Resolves names to the addresses that a policy permits."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._checked: deque[tuple[str, int]] = deque(maxlen=_REMEMBERED)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await asyncio.to_thread(self._policy.addresses, host, port)
        results = [_result(host, address, port) for address in addresses]
        suitable = [result for result in results if family in (socket.AF_UNSPEC, result["family"])]
        self._checked.extend((result["host"], port) for result in suitable)
        return suitable

    async def close(self) -> None:
        """Nothing is open."""

    def socket_to(self, address: tuple[Any, ...]) -> socket.socket:
        """Returns a socket for an address that aiohttp is about to connect to; refuses what was not checked."""
        family, kind, protocol, _, (host, port, *_) = address
        if (host, port) not in self._checked:
            self._policy.addresses(host, port)
        return socket.socket(family, kind, protocol)


def connector_options(policy: Policy) -> dict[str, Any]:
    """Returns the options of aiohttp's connector, which the S3 client takes too."""
    resolver = CheckedAddresses(policy)
    return {"resolver": resolver, "socket_factory": resolver.socket_to}


class WebClient:
    """Makes the session with which fsspec reads files of web servers."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    async def __call__(self, **options: Any) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(**connector_options(self._policy))
        return aiohttp.ClientSession(connector=connector, **options)


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
