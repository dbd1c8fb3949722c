"""The gRPC health question over real sockets, against scripted HTTP/2 frames."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tempo_infra.on_host.grpc_call import DATA, GOAWAY, HEADERS, PING, SETTINGS, _frame
from tempo_infra.on_host.health import SERVICES, Grpc
from tempo_infra.on_host.role_health import ask

SETTINGS_FRAME = _frame(SETTINGS, 0, 0, b"")
HEADERS_FRAME = _frame(HEADERS, 4, 1, b"\x88")
TRAILERS_ONLY = _frame(HEADERS, 5, 1, b"\x88")


def message(status: bytes) -> bytes:
    return _frame(DATA, 0, 1, b"\0" + len(status).to_bytes(4, "big") + status)


@contextmanager
def server(*pieces: bytes, stay: bool = False) -> Iterator[int]:
    """A port that answers one connection with these bytes, each sent on its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(4096)
                for piece in pieces:
                    client.sendall(piece)
                if not stay:
                    client.shutdown(socket.SHUT_WR)
                client.settimeout(2)
                while client.recv(4096):  # closing with unread data would reset the connection
                    pass

        threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ((SETTINGS_FRAME, HEADERS_FRAME, message(b"\x08\x01")), "SERVING"),
        ((SETTINGS_FRAME, HEADERS_FRAME, message(b"\x08\x02")), "NOT_SERVING"),
        ((HEADERS_FRAME, message(b"")), "UNKNOWN"),
        ((HEADERS_FRAME, message(b"\x08\x09")), "status 9"),
        ((SETTINGS_FRAME, TRAILERS_ONLY), "no such service"),
        ((_frame(GOAWAY, 0, 0, b"\0" * 8),), "refused the question"),
        ((SETTINGS_FRAME,), "closed the connection"),
        ((SETTINGS_FRAME + HEADERS_FRAME[:5], HEADERS_FRAME[5:] + message(b"\x08\x01")), "SERVING"),
        ((_frame(PING, 0, 0, b"12345678"), HEADERS_FRAME, message(b"\x08\x01")), "SERVING"),
    ],
)
def test_the_servers_word_is_read_whatever_frames_come_before_it(
    pieces: tuple[bytes, ...], said: str
) -> None:
    with server(*pieces) as port:
        assert ask(Grpc("127.0.0.1", port, SERVICES["history"])) == said


def test_a_silent_server_is_no_answer() -> None:
    with server(stay=True) as port:
        assert "timed out" in ask(Grpc("127.0.0.1", port, "x"), deadline_s=0.3)


def test_a_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "refused" in ask(Grpc("127.0.0.1", port, "x"))
