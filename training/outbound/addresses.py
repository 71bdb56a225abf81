"""Addresses: which are public, and to which a name resolves."""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from training.errors import OutboundError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# From a name and a port to addresses as text.
Resolve = Callable[[str, int], Sequence[str]]

# Networks that need IPv6 alone reach every IPv4 address through these.
_TRANSLATED = IPv6Network("64:ff9b::/96")
# Where Azure, Oracle, Alibaba, Amazon and Google hand out the credentials of a machine, beside link-local addresses.
_OF_CREDENTIALS = frozenset(
    map(ip_address, ("168.63.129.16", "192.0.0.192", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254"))
)


def system_addresses(host: str, port: int) -> Sequence[str]:
    """Returns the addresses that the system resolves a name to; raises `OutboundError` where there is none."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OutboundError(f"The name {host} cannot be resolved.") from error
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def address_of(text: str) -> Address | None:
    """Returns the address that a text is, as the network will use it; None for a name.

    An IPv4 address within an IPv6 address is that IPv4 address.
    """
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _TRANSLATED:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether everybody reaches the same machine at this address."""
    is_special = _is_wrapped(address) or address.is_multicast or address.is_reserved or address in _OF_CREDENTIALS
    return address.is_global and not is_special


def is_of_a_network(address: Address) -> bool:
    """Whether an address is public, of a private network or of this machine.

    Not among these are link-local and other addresses at which clouds hand out the credentials of a machine.
    """
    # ::1 stands within a reserved block.
    is_reserved = address.is_reserved and not address.is_loopback
    is_special = _is_wrapped(address) or address.is_link_local or address in _OF_CREDENTIALS
    return not (is_special or address.is_unspecified or address.is_multicast or is_reserved)


def _is_wrapped(address: Address) -> bool:
    """Whether an address of a kind that is out of use leads to another address, which is not checked."""
    return isinstance(address, IPv6Address) and bool(address.is_site_local or address.sixtofour or address.teredo)
