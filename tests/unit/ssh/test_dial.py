"""A connection has one deadline, for its name and all of its addresses together. Real sockets."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tempo_infra.ssh.dial import dial
from tests.unit.ssh.test_hosts_that_drip import outcome

pytestmark = pytest.mark.thorough

WAIT_S = 2.0


@pytest.fixture
def full() -> Iterator[tuple[str, int]]:
    """An address that takes nobody more: who connects waits."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)  # noqa: FBT003 - the socket module's
            client.connect_ex(server.getsockname())
        yield server.getsockname()


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    def found(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", one) for one in addresses]

    monkeypatch.setattr("socket.getaddrinfo", found)


def test_many_silent_addresses_take_no_longer_than_one(
    full: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, *[full] * 8)
    began = time.monotonic()
    assert isinstance(outcome(lambda: dial("host", 22, WAIT_S)), TimeoutError)
    assert time.monotonic() - began < 3 * WAIT_S  # eight times as much, were it for each


def test_a_silent_address_leaves_time_for_the_next(
    full: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        resolve_to(monkeypatch, full, server.getsockname())
        with dial("host", 22, WAIT_S) as found:
            assert found.getpeername() == server.getsockname()
            assert found.gettimeout() == WAIT_S


def test_a_refusal_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()
    resolve_to(monkeypatch, closed, closed)
    with pytest.raises(ConnectionRefusedError):
        dial("host", 22, WAIT_S)


def test_a_name_that_is_looked_up_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def never(*_: object, **__: object) -> list[object]:
        over.wait(60)
        return []

    monkeypatch.setattr("socket.getaddrinfo", never)
    error = outcome(lambda: dial("host", 22, 0.2))
    over.set()
    assert isinstance(error, TimeoutError)
    assert "its name is looked up for too long" in str(error)


def test_a_name_that_can_be_none_is_said_to_be_that() -> None:
    with pytest.raises(socket.gaierror):
        dial("a" * 64 + ".example", 22, WAIT_S)
