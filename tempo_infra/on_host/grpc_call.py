"""One unary gRPC call, in the clear or inside TLS: a stream of HTTP/2 (RFC 9113), its headers skipped.

Standard library only. Header fields go as literals (RFC 7541 §6.2.2), so nothing of theirs has to be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.on_host import exchange

if TYPE_CHECKING:
    from tempo_infra.on_host.exchange import Exchange, Tls

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8  # RFC 9113 §6
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4  # RFC 9113 §6.5.2
PREFIX_BYTES = 5  # before each gRPC message: a flag and four bytes of length
MOST_BYTES = 1024 * 1024  # of an answer, and of what comes around it
NO_SUCH = "no such service"
HTTP2 = "h2"  # RFC 9113 §3.1; grpc-go hangs up on who does not offer it


def call(
    host: str, port: int, path: str, message: bytes, *, deadline_s: float, tls: "Tls | None" = None
) -> bytes:
    """Return the answer to one message; OSError says why there is none."""
    authority, scheme = f"{tls.name if tls else host}:{port}", "https" if tls else "http"
    with exchange.tcp(
        host, port, deadline_s=deadline_s, most_bytes=MOST_BYTES, tls=tls, protocols=(HTTP2,)
    ) as connection:
        connection.send(_question(scheme, path, message, authority))
        return _answer(connection)


def _question(scheme: str, path: str, message: bytes, authority: str) -> bytes:
    fields = {
        ":method": "POST",
        ":scheme": scheme,
        ":path": path,
        ":authority": authority,
        "content-type": "application/grpc",
        "te": "trailers",
    }
    headers = b"".join(b"\0" + _literal(name) + _literal(value) for name, value in fields.items())
    settings = INITIAL_WINDOW_SIZE.to_bytes(2, "big") + MOST_BYTES.to_bytes(4, "big")
    return (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(SETTINGS, 0, 0, settings)
        + _frame(WINDOW_UPDATE, 0, 0, MOST_BYTES.to_bytes(4, "big"))
        + _frame(HEADERS, END_HEADERS, 1, headers)
        + _frame(DATA, END_STREAM, 1, b"\0" + len(message).to_bytes(4, "big") + message)
    )


def _literal(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()  # shorter than 127: no length continuation


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _answer(connection: Exchange) -> bytes:
    body = b""
    while True:
        head = connection.exactly(9)
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        payload = connection.exactly(int.from_bytes(head[:3], "big"))
        if kind in (SETTINGS, PING) and not flags & ACK:
            connection.send(_frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind in (RST_STREAM, GOAWAY):
            raise OSError("refused the question")
        elif kind == DATA and stream == 1:
            body += payload
        if len(body) >= PREFIX_BYTES and len(body) - PREFIX_BYTES >= int.from_bytes(body[1:5], "big"):
            return body[PREFIX_BYTES : PREFIX_BYTES + int.from_bytes(body[1:5], "big")]
        if stream == 1 and kind in (DATA, HEADERS) and flags & END_STREAM:
            raise OSError(NO_SUCH)
