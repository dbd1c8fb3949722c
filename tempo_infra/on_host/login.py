"""A real login at PostgreSQL over the network, as a service does it: SCRAM-SHA-256, then one query.

Standard library only: https://www.postgresql.org/docs/17/protocol-flow.html, RFC 5802 and 7677.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import struct
from typing import TYPE_CHECKING

from tempo_infra.on_host import exchange, untrusted
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.exchange import Exchange
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change

PROTOCOL = 196608  # 3.0
DEADLINE_S = 10.0  # of the whole login
OK, SASL, SASL_CONTINUE, SASL_FINAL = 0, 10, 11, 12  # of an "R" message
MECHANISM = b"SCRAM-SHA-256"
MOST_BYTES = 64 * 1024  # a login takes one or two thousand
# PostgreSQL's own, and the least of RFC 7677: of fewer, who answers in its place could guess the password.
LEAST_ITERATIONS, MOST_ITERATIONS, COUNT = 4096, 1_000_000, re.compile(r"[1-9][0-9]{0,6}")
LONGEST_NAME, LONGEST_WORDS = 63, 300  # of a role, in bytes; of an error, in characters
READY_OR_DATA = b"DSKNCZ"


class LoginRefusedError(Exception):
    """The server, or what answers in its place, let nobody in; the text never holds the password."""


def login(layout: Layout, args: change.Login) -> "dict[str, str]":
    """Log in with the password on this host. StepError when that is refused."""
    content = untrusted.read(layout.secrets, args.file)
    if content is None:
        raise StepError(f"{layout.secrets / args.file} is not there")
    password = content.decode(errors="replace")
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


def who_logs_in(args: change.Login, password: str) -> str:
    """Log in and return the role that statements run as. LoginRefusedError, OSError."""
    with exchange.tcp(args.host, args.port, deadline_s=DEADLINE_S, most_bytes=MOST_BYTES) as server:
        words = ["user", args.role, "database", args.database, "application_name", "tempo-infra"]
        body = struct.pack("!I", PROTOCOL) + b"".join(word.encode() + b"\0" for word in words) + b"\0"
        server.send(struct.pack("!I", len(body) + 4) + body)
        _authenticate(server, password)
        server.send(_message(b"Q", b"select current_user\0"))
        user = _first_value(server)
        server.send(_message(b"X", b""))
        return user


def _authenticate(server: Exchange, password: str) -> None:
    mechanisms = _expect(server, SASL)
    if MECHANISM not in mechanisms.split(b"\0"):
        raise LoginRefusedError("the server offers no SCRAM-SHA-256")
    scram = Scram(password, base64.b64encode(os.urandom(18)).decode())
    first = scram.first().encode()
    server.send(_message(b"p", MECHANISM + b"\0" + struct.pack("!I", len(first)) + first))
    final = scram.final(_expect(server, SASL_CONTINUE))
    server.send(_message(b"p", final.encode()))
    if not scram.is_server(_expect(server, SASL_FINAL)):
        raise LoginRefusedError("the server does not know the password itself")
    _expect(server, OK)


class Scram:
    """The client's side of SCRAM-SHA-256, without channel binding."""

    def __init__(self, password: str, nonce: str) -> None:
        self._password, self._nonce = password.encode(), nonce
        self._server_signature = b""

    def first(self) -> str:
        return f"n,,{self._bare()}"

    def _bare(self) -> str:
        return f"n=,r={self._nonce}"  # PostgreSQL takes the name from the startup message

    def final(self, server_first: bytes) -> str:
        """Answer the server's salt and count. LoginRefusedError when its nonce does not begin with ours."""
        told = _told(server_first)
        if not told.get("r", "").startswith(self._nonce):
            raise LoginRefusedError("the server's nonce is not an answer to ours")
        count = told.get("i", "")
        if not COUNT.fullmatch(count) or not LEAST_ITERATIONS <= int(count) <= MOST_ITERATIONS:
            most = f"{LEAST_ITERATIONS} to {MOST_ITERATIONS} are taken"
            raise LoginRefusedError(f"the server wants {count[:20]!r} iterations; {most}")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, _decoded(told.get("s", "")), int(count))
        without_proof = f"c=biws,r={told['r']}"
        message = f"{self._bare()},{server_first.decode()},{without_proof}".encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        self._server_signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        proof = bytes(one ^ other for one, other in zip(client_key, signature))  # noqa: B905 - Python 3.10
        return f"{without_proof},p={base64.b64encode(proof).decode()}"

    def is_server(self, server_final: bytes) -> bool:
        """Whether the server proved that it has the verifier of this password."""
        return hmac.compare_digest(_decoded(_told(server_final).get("v", "")), self._server_signature)


def _told(message: bytes) -> "dict[str, str]":
    """Return what a message of SCRAM says: one letter, a value."""
    try:
        text = message.decode("ascii")
    except UnicodeDecodeError:
        raise LoginRefusedError("its answer is not SCRAM") from None
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise LoginRefusedError("its answer is not base64") from None


def _expect(server: Exchange, wanted: int) -> bytes:
    kind, body = _read(server)
    found = int.from_bytes(body[:4], "big")
    if kind != b"R" or found != wanted:
        raise LoginRefusedError(f"unexpected answer {kind!r} {found} instead of {wanted}")
    return body[4:]


def _first_value(server: Exchange) -> str:
    while True:
        kind, body = _read(server)
        if kind == b"D":  # two bytes: columns, four: length of the first
            return body[6:][:LONGEST_NAME].decode(errors="replace")
        if kind not in READY_OR_DATA and kind != b"T":
            raise LoginRefusedError(f"unexpected answer {kind!r} to a query")


def _read(server: Exchange) -> "tuple[bytes, bytes]":
    """Read one message. LoginRefusedError with the server's own words when it is an error."""
    head = server.exactly(5)
    length = int.from_bytes(head[1:], "big") - 4
    if not 0 <= length <= MOST_BYTES:
        raise LoginRefusedError("this is not PostgreSQL's protocol")
    body = server.exactly(length)
    if head[:1] == b"E":
        fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
        raise LoginRefusedError(fields.get(b"M", "an error without words")[:LONGEST_WORDS])
    return head[:1], body


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body
