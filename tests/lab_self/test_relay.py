"""The relay counts, delays, cuts and refuses as it says, over loopback sockets."""

from __future__ import annotations

import select
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from lab.relay import Cut, Relay, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that answers with what it hears, until the client has finished."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        yield server.getsockname()


def _serve(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            return


def _connect(relay: Relay) -> socket.socket:
    return socket.create_connection((relay.address, relay.port), timeout=5)


def _exchange(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    answer = b""
    while len(answer) < len(data):
        if not (more := client.recv(65536)):
            break
        answer += more
    return answer


def test_each_question_and_answer_is_one_round_trip(echo: tuple[str, int]) -> None:
    """Three exchanges on one connection: three round trips, bytes counted each way."""
    with Relay(*echo) as relay, _connect(relay) as client:
        assert [_exchange(client, word) for word in (b"one", b"two", b"three")] == [b"one", b"two", b"three"]
        assert (relay.round_trips, relay.traffic.up, relay.traffic.down) == (3, 11, 11)
        assert relay.traffic.connections == 1


def test_a_direction_counts_once_however_many_pieces_it_has() -> None:
    """Only the change from client to server to client counts, each connection by itself."""
    traffic = Traffic()
    for connection, direction in (
        (1, "down"),
        (1, "up"),
        (1, "up"),
        (1, "down"),
        (1, "down"),
        (2, "up"),
        (1, "down"),
    ):
        traffic.seen(connection, direction, 10)  # type: ignore[arg-type]
    assert traffic.round_trips == 1


def test_delay_is_one_way(echo: tuple[str, int]) -> None:
    """50 ms each way make an exchange last 100 ms or a little more."""
    with Relay(*echo, delay_ms=50) as relay, _connect(relay) as client:
        begun = time.monotonic()
        _exchange(client, b"hello")
        assert 0.1 <= time.monotonic() - begun < 0.5


def test_delay_does_not_limit_the_rate(echo: tuple[str, int]) -> None:
    """Data under way at the same time is delayed together."""
    with Relay(*echo, delay_ms=20) as relay, _connect(relay) as client:
        begun = time.monotonic()
        assert len(_exchange(client, b"x" * 1_000_000)) == 1_000_000
        assert time.monotonic() - begun < 2


def test_cut_with_reset_lets_exactly_so_many_bytes_through(echo: tuple[str, int]) -> None:
    """The server has the bytes before the cut; the client gets a reset; the next connection lives."""
    with Relay(*echo, cut=Cut(after=5, direction="down", how="rst")) as relay:
        with _connect(relay) as client:
            client.sendall(b"0123456789")
            assert client.recv(100) == b"01234"
            with pytest.raises(ConnectionResetError):
                client.recv(100)
        with _connect(relay) as client:
            assert _exchange(client, b"0123456789") == b"0123456789"


def test_cut_with_fin_looks_like_an_orderly_end(echo: tuple[str, int]) -> None:
    """The client reads what came before the cut and then the end."""
    with Relay(*echo, cut=Cut(after=3, direction="up", how="fin")) as relay, _connect(relay) as client:
        client.sendall(b"abcdef")
        received = b""
        while data := client.recv(100):
            received += data
        assert received in (b"", b"abc")


def test_cut_with_hang_goes_silent(echo: tuple[str, int]) -> None:
    """After the cut nothing comes, not even the end, whatever is sent."""
    with Relay(*echo, cut=Cut(after=3, direction="up", how="hang")) as relay, _connect(relay) as client:
        client.sendall(b"abcdef")
        client.sendall(b"more")
        client.settimeout(0.3)
        time.sleep(0.1)
        received = (
            client.recv(100, socket.MSG_DONTWAIT) if select.select([client], [], [], 0)[0] else b"nothing"
        )
        assert received in (b"nothing", b"abc")
        with pytest.raises(TimeoutError):
            client.recv(100)


def test_refusing_can_be_switched(echo: tuple[str, int]) -> None:
    """Refused means that the port is closed."""
    with Relay(*echo) as relay:
        relay.refuse()
        with pytest.raises(ConnectionRefusedError):
            _connect(relay)
        relay.accept()
        with _connect(relay) as client:
            assert _exchange(client, b"hi") == b"hi"


def test_open_connections_can_be_broken(echo: tuple[str, int]) -> None:
    """A reset reaches a client that waits."""
    with Relay(*echo) as relay, _connect(relay) as client:
        _exchange(client, b"hi")
        relay.break_all()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_the_end_of_one_direction_is_passed_on(echo: tuple[str, int]) -> None:
    """A client that has finished sending still gets the answer and then the end."""
    with Relay(*echo, delay_ms=10) as relay, _connect(relay) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b"last words"
        assert client.recv(100) == b""
