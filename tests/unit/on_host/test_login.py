"""The login over real sockets, against a server that knows a verifier only, as PostgreSQL does."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.login import LoginRefusedError, Scram, login
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change
from tempo_infra.secrets import Secret, scram_sha_256

PASSWORD = "the password of blue"
VERIFIER = scram_sha_256(Secret("temporal_db", PASSWORD), salt=b"0123456789abcdef")
Answer = Callable[[socket.socket], None]


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def auth(number: int, text: str = "") -> bytes:
    return message(b"R", struct.pack("!I", number) + text.encode())


def refusal(text: str) -> bytes:
    return message(b"E", b"SFATAL\0C28P01\0M" + text.encode() + b"\0\0")


@contextmanager
def server(answer: Answer) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client, contextlib.suppress(OSError):  # the client may have seen enough
                client.settimeout(5)
                answer(client)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def exchange(client: socket.socket, *, nonce: str = "", prove: bool = True, user: str = "temporal") -> None:
    """Play the server's part of RFC 5802 from the verifier."""
    asked = client.recv(4096)
    assert b"user\0temporal_blue\0database\0temporal\0" in asked
    client.sendall(message(b"R", struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0"))
    first = client.recv(4096).partition(b"n,,")[2].decode()
    iterations, salt, stored, server_key = re.split(r"[:$]", VERIFIER.removeprefix("SCRAM-SHA-256$"))
    theirs = first.partition("r=")[2]
    server_first = f"r={nonce or theirs + 'more'},s={salt},i={iterations}"
    client.sendall(auth(11, server_first))
    final = client.recv(4096)[5:].decode()
    if not final:
        return
    without_proof, _, proof = final.partition(",p=")
    said = f"{first},{server_first},{without_proof}".encode()
    signature = hmac.digest(base64.b64decode(stored), said, "sha256")
    key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
    if hashlib.sha256(key).digest() != base64.b64decode(stored):
        client.sendall(refusal('password authentication failed for user "temporal_blue"'))
        return
    signed = hmac.digest(base64.b64decode(server_key), said, "sha256") if prove else b"x" * 32
    client.sendall(auth(12, "v=" + base64.b64encode(signed).decode()) + auth(0))
    if client.recv(4096)[:1] != b"Q":
        return
    value = struct.pack("!hI", 1, len(user)) + user.encode()
    client.sendall(message(b"S", b"TimeZone\0UTC\0") + message(b"Z", b"I") + message(b"T", b"..."))
    client.sendall(message(b"D", value) + message(b"C", b"SELECT 1\0") + message(b"Z", b"I"))
    client.recv(4096)


def tried(tmp_path: Path, answer: Answer, password: str = PASSWORD) -> dict[str, str]:
    layout = Layout(tmp_path)
    folder = layout.secrets / "temporal"
    folder.mkdir(parents=True)
    (folder / "db_password").write_text(password)
    with server(answer) as port:
        args = change.Login(
            "127.0.0.1", port, "temporal", "temporal_blue", "temporal", "temporal/db_password"
        )
        return login(layout, args)


def test_the_right_password_logs_in_and_acts_as_the_owner(tmp_path: Path) -> None:
    assert tried(tmp_path, exchange) == {"user": "temporal"}


def test_a_wrong_password_is_refused_in_the_servers_words_and_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="password authentication failed") as told:
        tried(tmp_path, exchange, "something else entirely")
    assert "something else" not in str(told.value) + told.value.remedy


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda client: exchange(client, nonce="somebody else's"), "nonce is not an answer"),
        (lambda client: exchange(client, prove=False), "does not know the password itself"),
        (lambda client: exchange(client, user="temporal_blue"), "acts as temporal_blue, not as temporal"),
        (lambda client: client.sendall(refusal("no pg_hba.conf entry for host")), "no pg_hba.conf entry"),
        (lambda client: client.sendall(auth(5, "salt")), "unexpected answer"),  # md5
        (lambda client: client.sendall(message(b"R", struct.pack("!I", 10) + b"X\0\0")), "offers no SCRAM"),
        (lambda client: client.sendall(b"SSH-2.0-OpenSSH\r\n"), "not PostgreSQL's protocol"),
        (lambda client: client.recv(4096), "closed the connection"),
    ],
)
def test_whatever_is_not_a_login_is_said(tmp_path: Path, answer: Answer, says: str) -> None:
    with pytest.raises(StepError, match=says):
        tried(tmp_path, answer)


def test_nobody_there(tmp_path: Path) -> None:
    (tmp_path / "var/lib/tempo-infra/secrets").mkdir(parents=True)
    (tmp_path / "var/lib/tempo-infra/secrets/x").write_text("y")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(StepError, match="Connection refused"):
        login(Layout(tmp_path), change.Login("127.0.0.1", port, "d", "r", "o", "x"))


def test_a_nonce_that_does_not_go_on_from_ours_is_refused() -> None:
    with pytest.raises(LoginRefusedError):
        Scram("pencil", "ours").final(b"r=theirs,s=QSXCR+Q6sek8bf92,i=4096")


@pytest.mark.parametrize(
    "count", ["2147483648", "1000001", "0", "-1", "1e3", "", "4096 ", "9" * 5000, "1", "4095"]
)
def test_a_server_does_not_choose_how_long_the_password_is_hashed(count: str) -> None:
    """2^31 iterations keep a core at work for an hour; with one, the password is soon guessed."""
    with pytest.raises(LoginRefusedError, match="iterations; 4096 to 1000000 are taken"):
        Scram("pencil", "ours").final(f"r=ours-theirs,s=QSXCR+Q6sek8bf92,i={count}".encode())


@pytest.mark.parametrize(
    "said", [b"r=ours,i=4096,s=%%%", b"r=ours,i=4096,s=\xff", b"\x00", b"r=ours,i=4096,s=Q"]
)
def test_what_is_no_scram_is_refused(said: bytes) -> None:
    with pytest.raises(LoginRefusedError):
        Scram("pencil", "ours").final(said)
