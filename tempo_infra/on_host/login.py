"""A real login at PostgreSQL over the network, as a service does it: SCRAM-SHA-256, then one query.

Standard library only: https://www.postgresql.org/docs/17/protocol-flow.html, RFC 5802 and 7677.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout

PROTOCOL = 196608  # 3.0
TIMEOUT_S = 10.0
OK, SASL, SASL_CONTINUE, SASL_FINAL = 0, 10, 11, 12  # of an "R" message
MECHANISM = b"SCRAM-SHA-256"
LONGEST_MESSAGE = 1 << 20
READY_OR_DATA = b"DSKNCZ"


class LoginRefusedError(Exception):
    """The server, or what answers in its place, let nobody in; the text never holds the password."""


@dataclass(frozen=True)
class LoginArgs:
    host: str
    port: int
    database: str
    role: str
    acts_as: str  # the role that owns what the login makes
    file: str  # the password, in the secrets folder


def login(layout: Layout, args: LoginArgs) -> "dict[str, str]":
    """Log in with the password on this host. StepError when that is refused."""
    password = (layout.secrets / args.file).read_text()
    try:
        user = who_logs_in(args, password)
    except (LoginRefusedError, OSError) as error:
        raise StepError(
            f"{args.role} can't log in at {args.host}:{args.port}: {error}",
            remedy="no service was switched to this login; the one in use goes on working",
        ) from error
    if user != args.acts_as:
        raise StepError(f"{args.role} acts as {user}, not as {args.acts_as}")
    return {"user": user}


def who_logs_in(args: LoginArgs, password: str) -> str:
    """Log in and return the role that statements run as. LoginRefusedError, OSError."""
    with socket.create_connection((args.host, args.port), timeout=TIMEOUT_S) as connection:
        connection.settimeout(TIMEOUT_S)
        words = ["user", args.role, "database", args.database, "application_name", "tempo-infra"]
        body = struct.pack("!I", PROTOCOL) + b"".join(word.encode() + b"\0" for word in words) + b"\0"
        connection.sendall(struct.pack("!I", len(body) + 4) + body)
        _authenticate(connection, password)
        connection.sendall(_message(b"Q", b"select current_user\0"))
        user = _first_value(connection)
        connection.sendall(_message(b"X", b""))
        return user


def _authenticate(connection: socket.socket, password: str) -> None:
    mechanisms = _expect(connection, SASL)
    if MECHANISM not in mechanisms.split(b"\0"):
        raise LoginRefusedError("the server offers no SCRAM-SHA-256")
    exchange = Exchange(password, base64.b64encode(os.urandom(18)).decode())
    first = exchange.first().encode()
    connection.sendall(_message(b"p", MECHANISM + b"\0" + struct.pack("!I", len(first)) + first))
    final = exchange.final(_expect(connection, SASL_CONTINUE).decode())
    connection.sendall(_message(b"p", final.encode()))
    if not exchange.is_server(_expect(connection, SASL_FINAL).decode()):
        raise LoginRefusedError("the server does not know the password itself")
    _expect(connection, OK)


class Exchange:
    """The client's side of SCRAM-SHA-256, without channel binding."""

    def __init__(self, password: str, nonce: str) -> None:
        self._password, self._nonce = password.encode(), nonce
        self._server_signature = b""

    def first(self) -> str:
        return f"n,,{self._bare()}"

    def _bare(self) -> str:
        return f"n=,r={self._nonce}"  # PostgreSQL takes the name from the startup message

    def final(self, server_first: str) -> str:
        """Answer the server's salt and count. LoginRefusedError when its nonce does not begin with ours."""
        told = dict(part.split("=", 1) for part in server_first.split(",") if "=" in part)
        if not told.get("r", "").startswith(self._nonce):
            raise LoginRefusedError("the server's nonce is not an answer to ours")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(told["s"]), int(told["i"]))
        without_proof = f"c=biws,r={told['r']}"
        message = f"{self._bare()},{server_first},{without_proof}".encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        self._server_signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        proof = bytes(one ^ other for one, other in zip(client_key, signature))  # noqa: B905 - Python 3.10
        return f"{without_proof},p={base64.b64encode(proof).decode()}"

    def is_server(self, server_final: str) -> bool:
        """Whether the server proved that it has the verifier of this password."""
        told = dict(part.split("=", 1) for part in server_final.split(",") if "=" in part)
        return hmac.compare_digest(base64.b64decode(told.get("v", "")), self._server_signature)


def _expect(connection: socket.socket, wanted: int) -> bytes:
    kind, body = _read(connection)
    found = int.from_bytes(body[:4], "big")
    if kind != b"R" or found != wanted:
        raise LoginRefusedError(f"unexpected answer {kind!r} {found} instead of {wanted}")
    return body[4:]


def _first_value(connection: socket.socket) -> str:
    while True:
        kind, body = _read(connection)
        if kind == b"D":
            return body[6:].decode()  # two bytes: columns, four: length of the first
        if kind not in READY_OR_DATA and kind != b"T":
            raise LoginRefusedError(f"unexpected answer {kind!r} to a query")


def _read(connection: socket.socket) -> "tuple[bytes, bytes]":
    """Read one message. LoginRefusedError with the server's own words when it is an error."""
    head = _exactly(connection, 5)
    length = int.from_bytes(head[1:], "big") - 4
    if not 0 <= length <= LONGEST_MESSAGE:
        raise LoginRefusedError("this is not PostgreSQL's protocol")
    body = _exactly(connection, length)
    if head[:1] == b"E":
        fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
        raise LoginRefusedError(fields.get(b"M", "an error without words"))
    return head[:1], body


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        if not chunk:
            raise LoginRefusedError("the connection was closed")
        data += chunk
    return data


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body
