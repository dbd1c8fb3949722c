"""Whether a service answers over HTTP: one request, as a browser would begin."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from tempo_infra.on_host import engine, exchange
from tempo_infra.on_host.containers import restart_counts, why_not_running
from tempo_infra.on_host.role_health import LOOK_EVERY_S, refuse_crash_loop
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.exchange import Tls
    from tempo_infra.on_host.health import Http
    from tempo_infra.on_host.layout import Layout

STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})\b")
SERVER_ERROR = 500
LOOPBACK = "127.0.0.1"
ANY = ("", "0.0.0.0", "::")  # noqa: S104 - read, not bound
ENGINE_S = 20.0
MOST_BYTES = 16 * 1024  # of its head; the page is not wanted
NO_MORE = (b"\r\n", b"\n", b"")
ASK_S, LONGEST_S = 3.0, 60.0  # it is there in a second or two, or not at all


def place(question: Http) -> "tuple[str, int]":
    """Return where to ask; a generation of format 1 does not say it, so there its container is looked at."""
    if question.host:
        return question.host, question.port
    found = engine.containers(stopped=True, deadline_s=ENGINE_S)
    for address in (at for one in found if engine.service_of(one) == "ui" for at in engine.bound(one)):
        host, _, number = address.rpartition(":")
        if number.isdigit():
            return (LOOPBACK if host in ANY else host), int(number)
    return LOOPBACK, question.port


def wait(layout: Layout, service: str, question: Http, deadline_s: float) -> None:
    """Wait until a service answers a request. StepError with the end of its log when it does not in time."""
    host, port = place(question)
    deadline_s = min(deadline_s, LONGEST_S)
    end = time.monotonic() + deadline_s
    look, restarts = time.monotonic() + LOOK_EVERY_S, restart_counts()
    while problem := ask(host, port, question.tls):
        if time.monotonic() > look:
            look = time.monotonic() + LOOK_EVERY_S
            refuse_crash_loop(layout, [service], restarts)
        if time.monotonic() > end:
            raise StepError(
                f"{service} does not answer at {host}:{port} after {deadline_s:g} s: {problem}; "
                f"its log ends: {why_not_running(layout, service)}"
            )
        time.sleep(0.25)


def ask(host: str, port: int, tls: "Tls | None" = None) -> str:
    """Return what is wrong with the answer; empty: nothing."""
    try:
        with exchange.tcp(host, port, deadline_s=ASK_S, most_bytes=MOST_BYTES, tls=tls) as connection:
            connection.send(f"GET / HTTP/1.0\r\nHost: {tls.name if tls else host}:{port}\r\n\r\n".encode())
            found = STATUS.match(connection.readline())
            while found and connection.readline() not in NO_MORE:
                pass
    except OSError as error:
        return str(error) or type(error).__name__
    if found is None:
        return "its answer is not HTTP"
    return f"HTTP status {found[1].decode()}" if int(found[1]) >= SERVER_ERROR else ""
