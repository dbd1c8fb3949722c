"""Whether a Temporal role serves: grpc.health.v1 asked with the role's own service name.

An open port proves little: history listens for seconds before it serves, and the empty service name answers
SERVING at once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tempo_infra.on_host import grpc_call, reloading
from tempo_infra.on_host.containers import restart_counts, why_not_running
from tempo_infra.on_host.health import SERVICES, Grpc
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change

STATUS = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}

LOOK_EVERY_S, CRASHES = 2.0, 5
ASK_S = 3.0
CHECK = "/grpc.health.v1.Health/Check"


def role_health(layout: Layout, args: change.Serving) -> dict[str, float]:
    """Wait until every role says SERVING; the seconds that each one took."""
    asked = {role: Grpc(args.host, port, SERVICES[role]) for role, port in args.ports.items()}
    return wait(layout, asked, args.deadline_s)


def wait(layout: Layout, questions: "Mapping[str, Grpc]", deadline_s: float) -> dict[str, float]:
    """Wait until every service says SERVING; the seconds that each one took."""
    started = time.monotonic()
    waiting, seconds = dict(questions), {}
    last = dict.fromkeys(waiting, "not asked")
    look, restarts = started + LOOK_EVERY_S, restart_counts()
    while waiting:
        for role, one in list(waiting.items()):
            last[role] = ask(one)
            if last[role] == "SERVING":
                seconds[role] = time.monotonic() - started
                del waiting[role]
        if waiting and time.monotonic() > look:
            look = time.monotonic() + LOOK_EVERY_S
            refuse_crash_loop(layout, waiting, restarts)
        if waiting and time.monotonic() - started > deadline_s:
            role = min(waiting)
            raise StepError(
                f"{role} does not serve after {deadline_s:g} s: {last[role]}; "
                f"its log ends: {why_not_running(layout, role)}"
            )
        time.sleep(0.25 if waiting else 0)
    reloading.take_up(questions)
    return seconds


def refuse_crash_loop(layout: Layout, waiting: "Collection[str]", before: "dict[str, int]") -> None:
    """Raise StepError for a server that ends again and again; a few restarts at the start are usual."""
    for role, count in restart_counts().items():
        if role in waiting and count - before.get(role, 0) >= CRASHES:
            raise StepError(
                f"{role} ended {count - before.get(role, 0)} times and was restarted; "
                f"its log ends: {why_not_running(layout, role)}"
            )


def ask(question: Grpc, deadline_s: float = ASK_S) -> str:
    """Return the server's word (SERVING, NOT_SERVING, …), or why there is none."""
    service = question.service.encode()
    message = b"\x0a" + bytes([len(service)]) + service if service else b""  # field 1, a string
    at = (question.host, question.port, CHECK, message)
    try:
        return _status(grpc_call.call(*at, deadline_s=deadline_s, tls=question.tls))
    except OSError as error:
        return str(error) or type(error).__name__


def _status(message: bytes) -> str:
    """Field 1 of HealthCheckResponse, an enum; absent means 0."""
    value = message[1] if message[:1] == b"\x08" and len(message) > 1 else 0
    return STATUS.get(value, f"status {value}")
