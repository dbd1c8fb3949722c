"""Agents of ssh that are of no use: each is asked with an end. Real sockets."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.ssh import agent, target
from tests.unit.ssh.servers import new_key
from tests.unit.ssh.test_hosts_that_drip import outcome

Says = Callable[[socket.socket], None]


@pytest.fixture
def listening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "agent"))
        server.listen(0)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        monkeypatch.setenv("HOME", str(tmp_path))
        yield server


def says(server: socket.socket, says: Says) -> None:
    def serve() -> None:
        with contextlib.suppress(OSError):
            client, _ = server.accept()
            with client:
                client.recv(100)
                says(client)

    threading.Thread(target=serve, daemon=True).start()


def drips(client: socket.socket) -> None:
    client.sendall(struct.pack(">IB", 200_000, 12))
    while True:
        client.sendall(b"\0")
        time.sleep(0.05)


def hangs(_: socket.socket) -> None:
    threading.Event().wait(20)


@pytest.mark.parametrize("how", [hangs, drips])
def test_an_agent_that_hangs_is_said_to_hang(
    listening: socket.socket, how: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "ANSWER_S", 0.3)
    says(listening, how)
    error = outcome(lambda: target.identities(where()))
    assert isinstance(error, InputError)
    assert error.what.endswith("/agent gives no answer")
    assert "SSH_AUTH_SOCK" in error.remedy


def test_an_agent_that_takes_nobody_is_said_to_hang(listening: socket.socket, tmp_path: Path) -> None:
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for one in waiting:
        one.settimeout(0.1)
        with contextlib.suppress(OSError):
            one.connect(str(tmp_path / "agent"))
    error = outcome(agent.keys)
    for one in waiting:
        one.close()
    assert isinstance(error, InputError)
    assert error.what.endswith("/agent gives no answer")


def where() -> target.Target:
    return target.Target("db-1", "127.0.0.1", 22, "deploy", (), Path("/nonexistent"))


def answer(body: bytes) -> Says:
    return lambda client: client.sendall(struct.pack(">I", len(body)) + body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(struct.pack(">BI", 12, 2**32 - 1) + b"\0" * 16, id="more keys than it lists"),
        pytest.param(struct.pack(">B", 5), id="refuses"),
        pytest.param(struct.pack(">BI", 12, 0), id="has none"),
        pytest.param(struct.pack(">BI", 12, 1) + struct.pack(">I", 3) + b"abc\0\0\0\1\xff", id="nonsense"),
    ],
)
def test_an_agent_of_no_use_has_no_keys(listening: socket.socket, body: bytes) -> None:
    says(listening, answer(body))
    assert list(outcome(agent.keys)) == []  # type: ignore[call-overload]


def test_an_answer_without_end_is_not_taken(listening: socket.socket) -> None:
    says(listening, lambda client: client.sendall(struct.pack(">IB", 2**32 - 1, 12)))
    assert outcome(agent.keys) == ()


def test_an_agent_that_answers_has_its_keys(listening: socket.socket, tmp_path: Path) -> None:
    key = new_key(tmp_path / "key")
    blob = key.asbytes()
    listed = struct.pack(">I", len(blob)) + blob + struct.pack(">I", 1) + b"c"
    says(listening, answer(struct.pack(">BI", 12, 1) + listed))
    assert [one.fingerprint for one in target.identities(where())] == [key.fingerprint]
