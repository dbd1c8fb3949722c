"""Routes as the kernel says them: by its own messages."""

from __future__ import annotations

import socket
import struct
from typing import Self

import pytest

from tempo_infra.on_host import exchange, routes
from tempo_infra.on_host.routes import Route


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value


def message(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body + bytes(-len(body) % 4)


def route(to: str, bits: int, *more: bytes, kind: int = 1, table: int = 254) -> bytes:
    head = struct.pack("=BBBBBBBBI", socket.AF_INET, bits, 0, 0, table, 2, 0, kind, 0)
    where = attribute(1, socket.inet_aton(to)) if bits else b""
    return message(24, head + where + b"".join(more))


class Kernel:
    def __init__(self, said: bytes) -> None:
        self.said = said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def send(self, data: bytes) -> None:
        assert struct.unpack("=IHHII", data[:16])[:3] == (len(data), 26, 0x301)

    def exactly(self, count: int) -> bytes:
        taken, self.said = self.said[:count], self.said[count:]
        return taken


def told(monkeypatch: pytest.MonkeyPatch, *said: bytes) -> list[Route]:
    monkeypatch.setattr(exchange, "routing", lambda **_: Kernel(b"".join(said)))
    return routes.routes()


def test_ways_and_addresses_are_told_from_what_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    lo = attribute(4, struct.pack("=I", socket.if_nametoindex("lo")))
    found = told(
        monkeypatch,
        route("0.0.0.0", 0, attribute(5, socket.inet_aton("10.0.0.1")), lo),
        route("172.16.0.0", 12, attribute(5, socket.inet_aton("10.0.0.1")), table=77),
        route("10.0.0.11", 32, lo, kind=2),
        route("10.0.0.255", 32, lo, kind=3),  # broadcast
        route("192.168.0.0", 16, kind=7),  # unreachable
        message(3, bytes(4)),
    )
    assert found == [
        Route("0.0.0.0/0", "lo", "10.0.0.1"),
        Route("172.16.0.0/12", "", "10.0.0.1"),
        Route("10.0.0.11/32", "lo", local=True),
    ]


def test_a_kernel_that_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="does not list its routes"):
        told(monkeypatch, message(2, bytes(20)))


def test_this_machine_has_its_own_address() -> None:
    assert Route("127.0.0.1/32", "lo", local=True) in routes.routes()
