"""The address at the other end of a connection, as gRPC writes it. Pure.

Examples: `ipv4:1.2.3.4:5`, `ipv6:%5B::1%5D:5`, `unix:`.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import unquote

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_loopback_peer(peer: str) -> bool:
    """Is it on this machine? False for what cannot be read: no proof is no."""
    address = _address_of(peer)
    return address is not None and address.is_loopback


def network_of(peer: str) -> str:
    """Whom tries are counted for: an IPv4 address, or an IPv6 network of 64 bits, which one subscriber has whole."""
    address = _address_of(peer)
    if address is None:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _address_of(peer: str) -> _Address | None:
    kind, _, rest = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return None
    host = rest.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
