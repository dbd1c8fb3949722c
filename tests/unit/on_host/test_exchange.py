"""Who answers a byte at a time, without end, or not at all holds nobody who asks: real sockets."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tempo_infra.on_host import database, engine, exchange, http_health, login, role_health
from tempo_infra.on_host.grpc_call import DATA, HEADERS, PING, SETTINGS, _frame
from tempo_infra.on_host.health import Grpc
from tempo_infra.on_host.probes import exposition, network
from tempo_infra.on_host.probes.reading import Unread
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change

pytestmark = pytest.mark.thorough

DEADLINE_S = 0.4
MOST = 10  # times the deadline: this machine may be busy
Said = Callable[[], Iterable[bytes]]
PAUSE = b""  # instead of bytes: nothing, for a while


def drip(text: bytes) -> Said:
    """One byte now and then, so that a timeout of its own for each would never come."""

    def said() -> Iterator[bytes]:
        for byte in itertools.chain(text, itertools.repeat(ord("a"))):
            yield bytes([byte])
            yield PAUSE

    return said


def endless(first: bytes, piece: bytes) -> Said:
    return lambda: itertools.chain([first], itertools.repeat(piece))


def silence() -> Iterator[bytes]:
    return itertools.repeat(PAUSE)


HOSTILE: dict[str, Said] = {
    "nothing, and stays": silence,
    "a byte at a time": drip(b""),
    "HTTP/2: a frame of 16 MiB, a byte at a time": drip(b"\xff\xff\xff" + bytes(5) + b"\x01"),
    "HTTP/2: empty frames": endless(b"", _frame(DATA, 0, 1, b"")),
    "HTTP/2: settings": endless(b"", _frame(SETTINGS, 0, 0, b"")),
    "HTTP/2: pings": endless(b"", _frame(PING, 0, 0, b"12345678")),
    "HTTP/2: empty headers": endless(b"", _frame(HEADERS, 0, 1, b"")),
    "HTTP: a head a byte at a time": drip(b"HTTP/1.1 200 OK\r\nX: "),
    "HTTP: a status a byte at a time": drip(b"HTTP/1.1 200"),
    "HTTP: a head without end": endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "HTTP: a line without end": endless(b"HTTP/1.1 200 OK\r\n", b"x" * 5000),
    "HTTP: chunks without end": endless(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", b"5\r\nabcde\r\n"
    ),
    "TLS: a handshake": endless(b"\x16\x03\x03\x40\x00", b"\x02" * 999),
    "PostgreSQL: a message of 2 GiB": drip(b"R" + struct.pack("!I", 2**31 - 1)),
    "PostgreSQL: notices": endless(b"", b"N" + struct.pack("!I", 4)),
    "zeros": endless(b"", bytes(1 << 16)),
}


@contextlib.contextmanager
def server(said: Said, path: Path | None = None, *, speaks_first: bool = True) -> Iterator[int]:
    """Answer every connection with what is said, and read no more than the question of who asks first."""
    listener = socket.create_server(("127.0.0.1", 0)) if path is None else socket.socket(socket.AF_UNIX)
    over = threading.Event()
    with listener:
        if path is not None:
            listener.bind(str(path))
            listener.listen()

        def answer(client: socket.socket) -> None:
            with client, contextlib.suppress(OSError):
                if speaks_first:
                    client.recv(4096)
                for piece in said():
                    if piece is PAUSE and over.wait(DEADLINE_S / 8):
                        return
                    client.sendall(piece)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=answer, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield 0 if path is not None else listener.getsockname()[1]
        over.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def ask_database(port: int) -> str:
    return database.why_silent("127.0.0.1", port, DEADLINE_S)


def ask_role(port: int) -> str:
    said = role_health.ask(Grpc("127.0.0.1", port, "x"), DEADLINE_S)
    return "" if said in role_health.STATUS.values() else said


def ask_ui(port: int) -> str:
    return http_health.ask("127.0.0.1", port)


def log_in(port: int) -> str:
    args = change.Login("127.0.0.1", port, "temporal", "temporal_blue", "temporal", "temporal/db_password")
    try:
        login.who_logs_in(args, "a password")
    except (login.LoginRefusedError, OSError) as error:
        return str(error)
    return ""


def ask_metrics(port: int) -> str:
    try:
        exposition.ask("127.0.0.1", port, ("x",))
    except (Unread, OSError) as error:
        return str(error)
    return ""


ASKS = {"database": ask_database, "role": ask_role, "ui": ask_ui, "login": log_in, "metrics": ask_metrics}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_health, "ASK_S", DEADLINE_S)
    monkeypatch.setattr(login, "DEADLINE_S", DEADLINE_S)
    monkeypatch.setattr(exposition, "ASK_S", DEADLINE_S)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("question", ASKS)
def test_no_answer_holds_who_asks(question: str, kind: str) -> None:
    with server(HOSTILE[kind]) as port:
        began = time.monotonic()
        problem = ASKS[question](port)
        took_s = time.monotonic() - began
    assert took_s < MOST * DEADLINE_S
    if question == "database" and kind == "PostgreSQL: notices":
        assert problem == ""  # N: no TLS, as the protocol says it; what follows is not read
    else:
        assert problem
        assert len(problem) < 400


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_engine_that_drips_or_floods_is_an_error_in_time(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SOCKET", str(tmp_path / "docker.sock"))
    monkeypatch.setattr(engine, "MOST_BYTES", 256 * 1024)
    with server(HOSTILE[kind], tmp_path / "docker.sock"):
        began = time.monotonic()
        with pytest.raises(StepError, match=r"engine|daemon"):
            engine.ask("/version", deadline_s=DEADLINE_S)
    assert time.monotonic() - began < MOST * DEADLINE_S


def test_all_questions_about_containers_have_one_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each one just in time would be as many deadlines as there are containers."""
    monkeypatch.setattr(engine, "SOCKET", str(tmp_path / "docker.sock"))
    listed = b'[{"Id": "a"}, {"Id": "b"}, {"Id": "c"}, {"Id": "d"}, {"Id": "e"}, {"Id": "f"}]'

    def slow() -> Iterator[bytes]:
        yield from [PAUSE] * 4
        yield b"HTTP/1.0 200 OK\r\n\r\n" + listed

    with server(slow, tmp_path / "docker.sock"):
        began = time.monotonic()
        with pytest.raises(StepError, match="no answer"):
            engine.containers(stopped=True, deadline_s=DEADLINE_S)
    assert time.monotonic() - began < 3 * DEADLINE_S


def test_who_does_not_read_what_is_sent_holds_nobody() -> None:
    with server(silence) as port:
        began = time.monotonic()
        opened = exchange.tcp("127.0.0.1", port, deadline_s=DEADLINE_S, most_bytes=1)
        with opened as connection, pytest.raises(TimeoutError):
            connection.send(bytes(64 << 20))  # more than the kernel keeps
        assert time.monotonic() - began < MOST * DEADLINE_S


def test_what_is_sent_in_pieces_is_read_as_lines_counts_and_a_rest() -> None:
    said = [b"first\nse", b"cond\n", b"12345", b"6789", b"0 and the rest"]

    def slowly() -> Iterator[bytes]:
        for piece in said:
            yield piece
            yield PAUSE

    with (
        server(slowly, speaks_first=False) as port,
        exchange.tcp("127.0.0.1", port, deadline_s=20 * DEADLINE_S, most_bytes=100) as connection,
    ):
        assert (connection.readline(), connection.readline()) == (b"first\n", b"second\n")
        assert (connection.exactly(10), connection.readline(4)) == (b"1234567890", b" and")
        assert connection.rest() == b" the rest"


def test_the_bound_is_of_all_that_comes_and_what_is_announced_counts() -> None:
    with (
        server(lambda: [b"12345"], speaks_first=False) as port,
        exchange.tcp("127.0.0.1", port, deadline_s=20 * DEADLINE_S, most_bytes=5) as connection,
    ):
        assert connection.exactly(3) == b"123"
        with pytest.raises(OSError, match="more than 5 bytes"):
            connection.exactly(3)


def test_a_name_is_no_address() -> None:
    """The resolver has no deadline: whoever has a name looks it up aside."""
    with pytest.raises(OSError, match="illegal"), exchange.tcp("localhost", 1, deadline_s=1, most_bytes=1):
        pass
    assert network.address_of("127.0.0.1") == "127.0.0.1"


def test_a_resolver_that_waits_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "LOOK_UP_S", DEADLINE_S)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(60))
    began = time.monotonic()
    with pytest.raises(StepError, match=r"the address of db\.example gives no answer in 0\.4 s"):
        network.address_of("db.example")
    assert time.monotonic() - began < MOST * DEADLINE_S
