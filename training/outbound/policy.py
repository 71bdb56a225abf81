"""The policy of outbound connections: only to hosts that the operator names, and of their addresses only public ones.

A name is resolved once for each connection, all its addresses are checked, and the connection is made to the address
that was checked, so that a name cannot stand for another machine by the time it is used. Nothing is named by default.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from urllib.parse import SplitResult, urlsplit

from training.errors import OutboundRefusedError
from training.outbound.addresses import (
    Address,
    Network,
    Resolve,
    address_of,
    is_of_a_network,
    is_public,
    system_addresses,
)

PORTS = {"https": 443, "http": 80}
_NAME = re.compile(r"(?!.{254})[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9_])?)*")
# The resolver takes names that end so for addresses: 2130706433, 0x7f.1, 0177.0.0.1.
_LOOKS_LIKE_A_NUMBER = re.compile(r"(^|\.)(0x[0-9a-f]*|[0-9]+)$")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_THIS_MACHINE = (ip_network("127.0.0.0/8"), ip_network("::1"))


@dataclass(frozen=True, slots=True)
class Destination:
    """A host that is named, with scheme and port. `*.example.org` stands for all names that end in `.example.org`.

    The host may have addresses of its own `networks`. If it is `anywhere`, it may have any but link-local addresses:
    the operator wants the program to work with it, and does not merely permit that.
    """

    scheme: str
    host: str
    port: int
    networks: tuple[Network, ...] = ()
    anywhere: bool = False

    def matches(self, scheme: str | None, host: str, port: int) -> bool:
        """Whether this is what a connection wants to reach; a scheme of None is that of the port."""
        of_host = host.endswith(self.host[1:]) if self.host.startswith("*.") else host == self.host
        return of_host and port == self.port and scheme in (None, self.scheme)

    def permits(self, address: Address) -> bool:
        """Whether the host may have this address."""
        return is_public(address) or _is_in(address, self.networks) or (self.anywhere and is_of_a_network(address))


@dataclass(frozen=True, slots=True)
class Policy:
    """The named hosts, and networks whose addresses are permitted although they are private."""

    destinations: tuple[Destination, ...] = ()
    networks: tuple[Network, ...] = ()
    resolve: Resolve = field(default=system_addresses, compare=False)

    def require(self, scheme: str | None, host: str, port: int) -> tuple[Destination, ...]:
        """Returns what names a host; raises `OutboundRefusedError` where nothing does."""
        name = canonical_host(host)
        if scheme is not None and scheme not in PORTS:
            raise OutboundRefusedError(f"{scheme}:// is not a scheme for connections to other machines.")
        named = tuple(destination for destination in self.destinations if destination.matches(scheme, name, port))
        if not named:
            place = f"{scheme}://{_shown(name)}:{port}" if scheme else f"{_shown(name)}:{port}"
            raise OutboundRefusedError(f"{place} is not among the hosts that FRAMING_OUTBOUND_HOSTS names.")
        return named

    def addresses(self, host: str, port: int, scheme: str | None = None) -> list[str]:
        """Returns the addresses of a named host, to connect to them; refuses them all where it may not have each."""
        named, name = self.require(scheme, host, port), canonical_host(host)
        addresses = [name] if address_of(name) else list(self.resolve(name, port))
        for text in addresses:
            address = address_of(text)
            if address is None or not self._permits(named, address):
                raise OutboundRefusedError(
                    f"{_shown(name)} has the address {text}, which is not public. If it is meant, name its network in "
                    "FRAMING_OUTBOUND_HOSTS, such as 10.1.0.0/16."
                )
        return addresses

    def require_url(self, url: str) -> SplitResult:
        """Returns the parts of a URL that may be requested; raises `OutboundRefusedError`."""
        parts = parts_of(url)
        self.require(parts.scheme, parts.hostname or "", port_of(parts))
        return parts

    def _permits(self, named: Iterable[Destination], address: Address) -> bool:
        return _is_in(address, self.networks) or any(destination.permits(address) for destination in named)


def policy_of(entries: Iterable[str]) -> Policy:
    """Returns the policy of an operator's list; raises `ValueError` with a sentence about an entry that is wrong.

    An entry is a host (https), a host with scheme and port, or a network in the notation 10.1.0.0/16.
    """
    destinations: list[Destination] = []
    networks: list[Network] = []
    for entry in entries:
        if "/" in entry and "://" not in entry:
            networks.append(_network(entry))
        else:
            destinations.append(_destination(entry))
    return Policy(tuple(destinations), tuple(networks))


def policy_of_place(url: str, entries: Iterable[str] = ()) -> Policy:
    """Returns the policy for a place whose URL a person gave: its host counts as named, beside what is named anyway."""
    policy, parts = policy_of(entries), parts_of(url)
    place = Destination(parts.scheme, canonical_host(parts.hostname or ""), port_of(parts), anywhere=True)
    return replace(policy, destinations=(_with_own_addresses(place), *policy.destinations))


def parts_of(url: str) -> SplitResult:
    """Returns the parts of an HTTP URL; raises `OutboundRefusedError` where it is none or names a user."""
    if _UNSAFE.search(url):
        raise OutboundRefusedError("The URL has a blank, a control character or a backslash.")
    try:
        parts = urlsplit(url)
        port_of(parts)
    except ValueError as error:
        raise OutboundRefusedError(f"'{url[:200]}' is not a URL.") from error
    if parts.scheme not in PORTS:
        raise OutboundRefusedError(f"'{url[:200]}' does not begin with https:// or http://.")
    if "@" in parts.netloc:
        raise OutboundRefusedError("The URL has a user before its host.")
    canonical_host(parts.hostname or "")
    return parts


def port_of(parts: SplitResult) -> int:
    return PORTS[parts.scheme] if parts.port is None and parts.scheme in PORTS else parts.port or 0


def canonical_host(host: str) -> str:
    """Returns a host as it is compared: small letters, ASCII, no dot at the end, addresses in their usual form."""
    if address := address_of(host):
        return str(address)
    try:
        name = host.removesuffix(".").encode("idna").decode().lower()
    except UnicodeError:
        name = ""
    if not _NAME.fullmatch(name) or _LOOKS_LIKE_A_NUMBER.search(name):
        raise OutboundRefusedError(f"'{host[:200]}' is not the name of a host, nor an address in its usual form.")
    return name


def _destination(entry: str) -> Destination:
    anyone = entry.partition("://")[2] if "://" in entry else entry
    try:
        parts = parts_of((entry if "://" in entry else f"https://{entry}").replace("://*.", "://", 1))
    except OutboundRefusedError as error:
        raise ValueError(f"'{entry}' does not name a host such as https://feeds.example.org: {error}") from error
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"'{entry}' must end after the host and the port, such as https://feeds.example.org:8443.")
    host = canonical_host(parts.hostname or "")
    if anyone.startswith("*."):
        if "." not in host or address_of(host):
            raise ValueError(f"'{entry}' stands for too much: name the hosts, or a domain such as *.example.org.")
        return Destination(parts.scheme, f"*.{host}", port_of(parts))
    return _with_own_addresses(Destination(parts.scheme, host, port_of(parts)))


def _with_own_addresses(destination: Destination) -> Destination:
    """An address that is named may be reached wherever it stands, and `localhost` is this machine."""
    if address := address_of(destination.host):
        return replace(destination, networks=(ip_network(str(address)),))
    if destination.host == "localhost":
        return replace(destination, networks=_THIS_MACHINE)
    return destination


def _network(entry: str) -> Network:
    try:
        return ip_network(entry)
    except ValueError as error:
        raise ValueError(f"'{entry}' is not a network such as 10.1.0.0/16.") from error


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
