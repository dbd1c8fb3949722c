"""Whether a Temporal role serves: grpc.health.v1 asked with the role's own service name.

Standard library only: one HTTP/2 stream, header fields as literals (RFC 7541 §6.2.2), the answer's
headers skipped. An open port proves little: history listens for seconds before it serves, and the empty
service name answers SERVING at once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tempo_infra.on_host import exchange, reloading
from tempo_infra.on_host.containers import restart_counts, why_not_running
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from collections.abc import Collection

    from tempo_infra.on_host.exchange import Exchange
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change

# The names under which the server registers its roles (go.temporal.io/server, service/*/fx.go).
HEALTH_NAMES = {
    "frontend": "temporal.api.workflowservice.v1.WorkflowService",
    "history": "temporal.api.workflowservice.v1.HistoryService",
    "matching": "temporal.api.workflowservice.v1.MatchingService",
    "worker": "temporal.api.workflowservice.v1.WorkerService",
}
STATUS = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7  # RFC 9113 §6
END_STREAM, ACK, END_HEADERS = 1, 1, 4
LOOK_EVERY_S, CRASHES = 2.0, 5
PREFIX_BYTES = 5  # before each gRPC message: a flag and four bytes of length
ASK_S = 3.0
MOST_BYTES = 64 * 1024  # an answer is a few hundred


def role_health(layout: Layout, args: change.Serving) -> dict[str, float]:
    """Wait until every role says SERVING; the seconds that each one took."""
    started = time.monotonic()
    waiting, seconds = dict(args.ports), {}
    last = dict.fromkeys(waiting, "not asked")
    look, restarts = started + LOOK_EVERY_S, restart_counts()
    while waiting:
        for role, port in list(waiting.items()):
            last[role] = ask(args.host, port, HEALTH_NAMES[role])
            if last[role] == "SERVING":
                seconds[role] = time.monotonic() - started
                del waiting[role]
        if waiting and time.monotonic() > look:
            look = time.monotonic() + LOOK_EVERY_S
            refuse_crash_loop(layout, waiting, restarts)
        if waiting and time.monotonic() - started > args.deadline_s:
            role = min(waiting)
            raise StepError(
                f"{role} does not serve after {args.deadline_s:g} s: {last[role]}; "
                f"its log ends: {why_not_running(layout, role)}"
            )
        time.sleep(0.25 if waiting else 0)
    reloading.take_up(args.ports)
    return seconds


def refuse_crash_loop(layout: Layout, waiting: "Collection[str]", before: "dict[str, int]") -> None:
    """Raise StepError for a server that ends again and again; a few restarts at the start are usual."""
    for role, count in restart_counts().items():
        if role in waiting and count - before.get(role, 0) >= CRASHES:
            raise StepError(
                f"{role} ended {count - before.get(role, 0)} times and was restarted; "
                f"its log ends: {why_not_running(layout, role)}"
            )


def ask(host: str, port: int, service: str, deadline_s: float = ASK_S) -> str:
    """Return the server's word (SERVING, NOT_SERVING, …), or why there is none."""
    try:
        with exchange.tcp(host, port, deadline_s=deadline_s, most_bytes=MOST_BYTES) as connection:
            connection.send(_question(service, f"{host}:{port}"))
            return _answer(connection)
    except OSError as error:
        return str(error) or type(error).__name__


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _question(service: str, authority: str) -> bytes:
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": authority,
        "content-type": "application/grpc",
        "te": "trailers",
    }
    headers = b"".join(b"\0" + _literal(name) + _literal(value) for name, value in fields.items())
    message = b"\x0a" + _literal(service) if service else b""  # field 1 of HealthCheckRequest, a string
    data = b"\0" + len(message).to_bytes(4, "big") + message
    return (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(SETTINGS, 0, 0, b"")
        + _frame(HEADERS, END_HEADERS, 1, headers)
        + _frame(DATA, END_STREAM, 1, data)
    )


def _literal(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()  # shorter than 127: no length continuation


def _answer(connection: Exchange) -> str:
    body = b""
    while True:
        head = connection.exactly(9)
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        payload = connection.exactly(int.from_bytes(head[:3], "big"))
        if kind in (SETTINGS, PING) and not flags & ACK:
            connection.send(_frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind in (RST_STREAM, GOAWAY):
            return "refused the question"
        elif kind == DATA and stream == 1:
            body += payload
        if len(body) >= PREFIX_BYTES and len(body) - PREFIX_BYTES >= int.from_bytes(body[1:5], "big"):
            return _status(body[PREFIX_BYTES:])
        if stream == 1 and kind in (DATA, HEADERS) and flags & END_STREAM:
            return "no such service"


def _status(message: bytes) -> str:
    """Field 1 of HealthCheckResponse, an enum; absent means 0."""
    value = message[1] if message[:1] == b"\x08" and len(message) > 1 else 0
    return STATUS.get(value, f"status {value}")
