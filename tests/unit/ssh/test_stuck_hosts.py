"""Hosts that take a connection and then do nothing, over real sockets on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tempo_infra.errors import UnreachableError
from tempo_infra.ssh import connection, fan_out
from tempo_infra.ssh.target import Target


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def rude() -> Iterator[int]:
    """A port that accepts and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                client.close()

        threading.Thread(target=hang_up, daemon=True).start()
        yield server.getsockname()[1]


def target(port: int) -> Target:
    return Target("db-1", "127.0.0.1", port, "deploy", (), Path("/nonexistent"))


def test_a_host_that_hangs_up_is_unreachable_in_the_key_exchange(rude: int) -> None:
    with pytest.raises(
        UnreachableError, match=r"db-1: unreachable: key exchange to 127\.0\.0\.1:\d+ after 0\."
    ):
        connection.handshake(target(rude))


def test_a_closed_port_is_unreachable_at_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnreachableError, match=r"unreachable: connect to .* refused"):
        connection.handshake(target(port))


def test_a_silent_host_ends_at_its_deadline_while_others_go_on(
    silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_S", 0.5)

    def work(port: int) -> str:
        if port == 0:
            return "fine"
        return str(connection.handshake(target(port)))

    answers = fan_out(work, [silent, 0])
    assert answers[0] == "fine"
    assert isinstance(answers[silent], UnreachableError)
    assert "key exchange" in str(answers[silent])
