"""The IPv4 routes of this host, of every table, as the kernel lists them: rtnetlink(7), without a program."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Iterator

from tempo_infra.on_host import exchange

ANSWER_S = 5.0
MOST_BYTES = 4 * 1024 * 1024  # some fifty thousand; who routes the whole internet is no host of ours
# linux/netlink.h, linux/rtnetlink.h
_REQUEST_DUMP, _ERROR, _DONE, _NEW_ROUTE, _GET_ROUTE = 0x1 | 0x300, 2, 3, 24, 26
_MESSAGE, _ROUTE, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBBBBBBBI"), struct.Struct("=HH")
_DESTINATION, _INTERFACE, _GATEWAY = 1, 4, 5
_UNICAST, _LOCAL = 1, 2


@dataclass(frozen=True)
class Route:
    network: str  # "172.30.0.0/16"; a single address has /32
    device: str  # "eth0", empty where it has none or several
    gateway: str = ""
    local: bool = False  # an address of this host itself


def routes() -> "list[Route]":
    """Return them; OSError when the kernel does not answer."""
    wanted = _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
    head = _MESSAGE.pack(_MESSAGE.size + len(wanted), _GET_ROUTE, _REQUEST_DUMP, 1, 0)
    found: "list[Route]" = []
    with exchange.routing(deadline_s=ANSWER_S, most_bytes=MOST_BYTES) as kernel:
        kernel.send(head + wanted)
        while True:
            length, kind, *_ = _MESSAGE.unpack(kernel.exactly(_MESSAGE.size))
            body = kernel.exactly(((length + 3) & ~3) - _MESSAGE.size)
            if kind == _ERROR:
                raise OSError("the kernel does not list its routes")
            if kind == _DONE:
                return found
            if kind == _NEW_ROUTE:
                found += _route(body[: length - _MESSAGE.size])


def _route(body: bytes) -> "list[Route]":
    family, bits, _, _, _, _, _, kind, _ = _ROUTE.unpack_from(body)
    if family != socket.AF_INET or kind not in (_UNICAST, _LOCAL):  # the others lead nowhere
        return []
    told = dict(_attributes(body[_ROUTE.size :]))
    device = _name(struct.unpack("=I", told[_INTERFACE])[0]) if _INTERFACE in told else ""
    network = f"{socket.inet_ntoa(told.get(_DESTINATION, bytes(4)))}/{bits}"
    gateway = socket.inet_ntoa(told[_GATEWAY]) if _GATEWAY in told else ""
    return [Route(network, device, gateway, kind == _LOCAL)]


def _attributes(rest: bytes) -> "Iterator[tuple[int, bytes]]":
    while len(rest) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(rest)
        if length < _ATTRIBUTE.size:
            return
        yield kind, rest[_ATTRIBUTE.size : length]
        rest = rest[(length + 3) & ~3 :]


def _name(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""
