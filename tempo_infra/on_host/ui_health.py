"""Whether the web UI answers: one HTTP request, as a browser would begin."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING

from tempo_infra.on_host import engine
from tempo_infra.on_host.containers import restart_counts, why_not_running
from tempo_infra.on_host.role_health import LOOK_EVERY_S, refuse_crash_loop
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout

SERVER_ERROR = 500
LOOPBACK = "127.0.0.1"
ANY = ("", "0.0.0.0", "::")  # noqa: S104 - read, not bound
ENGINE_S = 20.0
ASK_S, LONGEST_S = 3.0, 60.0  # it is there in a second or two, or not at all


def place(port: int) -> "tuple[str, int]":
    """Return where the UI's container is published; earlier versions used another address."""
    for one in engine.containers(stopped=True, deadline_s=ENGINE_S):
        for address in engine.bound(one) if engine.service_of(one) == "ui" else ():
            host, _, number = address.rpartition(":")
            if number.isdigit():
                return (LOOPBACK if host in ANY else host), int(number)
    return LOOPBACK, port


def ui_answers(layout: Layout, host: str, port: int, deadline_s: float) -> None:
    """Wait until the UI answers a request. StepError with the end of its log when it does not in time."""
    end = time.monotonic() + min(deadline_s, LONGEST_S)
    look, restarts = time.monotonic() + LOOK_EVERY_S, restart_counts()
    while problem := ask(host, port):
        if time.monotonic() > look:
            look = time.monotonic() + LOOK_EVERY_S
            refuse_crash_loop(layout, ["ui"], restarts)
        if time.monotonic() > end:
            raise StepError(
                f"the UI does not answer at {host}:{port} after {min(deadline_s, LONGEST_S):g} s: {problem}; "
                f"its log ends: {why_not_running(layout, 'ui')}"
            )
        time.sleep(0.25)


def ask(host: str, port: int) -> str:
    """Return what is wrong with the answer; empty: nothing."""
    connection = http.client.HTTPConnection(host, port, timeout=ASK_S)
    try:
        connection.request("GET", "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return f"HTTP status {status}" if status >= SERVER_ERROR else ""
