"""Addresses: what ssh reaches, and what the services bind. ValueError in plain words."""

from __future__ import annotations

import ipaddress
import re

from tempo_infra.inventory.problems import quoted

_DNS_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")  # no leading dash: it ends in an argument list
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
_PRIVATE = (  # RFC 1918, and RFC 4193 for IPv6
    ipaddress.ip_network("10.0.0.0/8"),
    ipaddress.ip_network("172.16.0.0/12"),
    ipaddress.ip_network("192.168.0.0/16"),
    ipaddress.ip_network("fc00::/7"),
)
_CARRIER = ipaddress.ip_network("100.64.0.0/10")
_LOOKS_LIKE_IPV4 = re.compile(r"[0-9.]+")


_PLACE = re.compile(r"(?:\[(?P<literal>[^\[\]]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,15}")  # a name that Linux gives an interface
_LAST_PORT = (1 << 16) - 1


def split_port(text: str) -> tuple[str, int | None]:
    """Split HOST, HOST:PORT, [IPV6], [IPV6]:PORT, or an IPv6 literal that stands alone. ValueError."""
    if _is_ipv6(text):
        return text, None
    found = _PLACE.fullmatch(text)
    if found is None or (found["literal"] and not _is_ipv6(found["literal"])):
        raise ValueError("write HOST, HOST:PORT or [IPV6]:PORT")
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port <= _LAST_PORT:
        raise ValueError(f"a port is between 1 and {_LAST_PORT}")
    return found["literal"] or found["name"], port


def with_port(address: str, port: int) -> str:
    """Write an address with its port, so that nobody takes the one for a part of the other."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def canonical(text: str) -> str:
    """Return the one way to write an address, names in small letters; IPv4 within IPv6 is IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text.casefold()
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _is_ipv6(text: str) -> bool:
    literal, zoned, zone = text.partition("%")
    try:
        ipaddress.IPv6Address(literal)
    except ValueError:
        return False
    return not zoned or _ZONE.fullmatch(zone) is not None


def internal_address(text: str) -> str:
    """Return an IPv4 literal that services can bind and announce."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise ValueError(_why_not_ipv4(text)) from None
    if address.is_loopback:
        raise ValueError(f"{text} is a loopback address; other hosts can't reach it")
    if _never_a_host(address):
        raise ValueError(f"{text} can't be a host's address")
    return text


def _why_not_ipv4(text: str) -> str:
    if ":" in text:
        return f"{quoted(text)} is not an IPv4 address; the cluster's own network is IPv4 for now"
    hint = "; a name won't do, Temporal's members are told an address" if re.search("[a-z]", text) else ""
    return f"{quoted(text)} is not an IP address{hint}"


def ssh_address(text: str) -> str:
    """Return a host name, an IP literal, or an alias of ~/.ssh/config."""
    if "@" in text:
        raise ValueError("an address without the user; the user stands under ssh: user")
    if ":" in text:
        return _ipv6(text)
    if _LOOKS_LIKE_IPV4.fullmatch(text):
        return _ipv4(text)
    if not text.isascii():
        raise ValueError("use the ASCII form of this name (xn--...)")
    if not _DNS_NAME.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a host name, an IP address or an alias of ~/.ssh/config")
    return text


def _ipv6(text: str) -> str:
    if "%" in text and _is_ipv6(text):
        zone = text.partition("%")[2]
        raise ValueError(f"the zone %{zone} names an interface of one machine; others read this file, too")
    try:
        address = ipaddress.IPv6Address(text.replace("%", "?"))  # free text
    except ValueError:
        if re.fullmatch(r"[^:]+:[0-9]+", text):
            raise ValueError("an address without the port; the port stands under ssh: port") from None
        raise ValueError(f"{quoted(text)} is not an IP address") from None
    if _never_a_host(address):
        raise ValueError(f"{text} can't be a host's address")
    return text


def _ipv4(text: str) -> str:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is not an IP address") from None
    if _never_a_host(address):
        raise ValueError(f"{text} can't be a host's address")
    return text


def _never_a_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """0.0.0.0/8, multicast, broadcast and what was never given out."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return _never_a_host(address.ipv4_mapped)
    if isinstance(address, ipaddress.IPv4Address) and (address in _THIS_NETWORK or address.is_reserved):
        return True
    return address.is_unspecified or address.is_multicast


def why_not_private(text: str) -> str:
    """Say who else may reach an address that services bind; empty for RFC 1918, and for what is no address.

    Python's own `is_private` and `is_global` are about routing: neither names 100.64.0.0/10.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if any(address.version == one.version and address in one for one in _PRIVATE):
        return ""
    if address.version == _CARRIER.version and address in _CARRIER:
        return f"{text} lies in {_CARRIER}, which a provider's customers share (RFC 6598)"
    if address.is_global:
        return f"the internet can reach {text}"
    return f"{text} is in no private network (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16)"
