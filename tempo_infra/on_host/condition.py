"""How our containers are: what the engine says of each, and what its service answers when it is asked.

Docker calls a container running while it waits to start it once more, and while its process is frozen: so who
runs is asked whether it serves.
"""

from __future__ import annotations

import calendar
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tempo_infra.on_host import engine
from tempo_infra.on_host.health import why_silent

if TYPE_CHECKING:
    from typing import Mapping, Optional

    from tempo_infra.on_host.health import Health

ASK_S = 3.0
AGAIN_S, PAUSE_S = 10.0, 1.0  # a busy host may answer late once: so long it is asked again
STARTS_S = 150.0  # younger than this it may be starting: history waits for its shards for 65 s and more
MOST_WORDS = 300


@dataclass(frozen=True)
class Container:
    """One container of our compose project that is meant to be kept running."""

    service: str
    id: str
    running: bool  # now: neither paused nor waiting to be started once more
    started_at: str
    image: str
    ports: "list[str]" = field(default_factory=list)  # address:port on the host
    state: str = "running"  # the engine's word: "exited", "restarting", "paused", "created", "dead"
    health: str = ""  # the engine's word: "healthy", "unhealthy", "starting"; empty: it is not looked after
    restarts: int = 0  # by Docker, since it was started by somebody
    exit_code: int = 0  # of the last end
    since_s: float = 0.0  # in this state
    said: str = ""  # by the engine, of a start that failed
    silent: str = ""  # why it does not serve; empty: it does, or was not asked
    config: str = ""  # digest of what it was made from, as compose wrote it
    image_id: str = ""  # that it was made from, likewise
    compose: str = ""  # the version that made it


def of(inspected: "dict[str, Any]") -> Container:
    """Make a container of what `docker inspect` says of it."""
    state, labels = inspected["State"], inspected["Config"].get("Labels") or {}
    up = bool(state["Running"]) and not state.get("Restarting") and not state.get("Paused")
    is_down = not state["Running"] or state.get("Restarting")
    return Container(
        service=engine.named(labels),
        id=str(inspected["Id"]),
        running=up,
        started_at=str(state["StartedAt"]),
        image=str(inspected["Config"]["Image"]),
        ports=engine.bound(inspected),
        state=str(state.get("Status", "running" if up else "exited")),
        health=str((state.get("Health") or {}).get("Status", "")),
        restarts=int(inspected.get("RestartCount") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        since_s=_age_s(str(state.get("FinishedAt" if is_down else "StartedAt", ""))),
        said=str(state.get("Error") or "")[:MOST_WORDS],
        config=str(labels.get("com.docker.compose.config-hash", "")),
        image_id=str(labels.get("com.docker.compose.image", "")),
        compose=str(labels.get("com.docker.compose.version", "")),
    )


def _age_s(moment: str) -> float:
    """Return seconds since a time of the engine's ("2026-11-30T00:05:39.892420888Z"); 0 for none."""
    try:
        then = calendar.timegm(time.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return 0.0
    return max(0.0, time.time() - then) if then > 0 else 0.0


def asked(found: "list[Container]", questions: "Mapping[str, Health]") -> "list[Container]":
    """Ask those that run whether they serve, side by side; one without a question is not asked."""
    from concurrent.futures import ThreadPoolExecutor

    if not questions or not found:
        return found
    with ThreadPoolExecutor(max_workers=len(found)) as pool:
        return list(pool.map(lambda one: _asked(one, questions.get(one.service)), found))


def _asked(one: Container, question: "Optional[Health]") -> Container:
    if not one.running or question is None:
        return one
    until = time.monotonic() + AGAIN_S
    while (silent := why_silent(question, ASK_S)) and one.since_s > STARTS_S and time.monotonic() < until:
        time.sleep(PAUSE_S)
    return replace(one, silent=silent[:MOST_WORDS])


def startable(one: Container) -> bool:
    """Whether it is enough to start it: the engine leaves one that is paused or restarting as it is."""
    return one.state in ("exited", "created")


def starts(one: Container) -> bool:
    """Whether it runs and does not serve yet, and is too young to say that something is wrong."""
    return one.running and bool(one.silent) and not trouble(one)


def trouble(one: Container) -> str:
    """Return what is wrong with a container, in words; empty for one that serves, or is just starting."""
    if not one.running:
        return _down(one)
    if one.silent and one.restarts:
        return f"ended {_times(one.restarts)} by itself, {_exit(one)}, and does not serve: {one.silent}"
    if one.silent and one.since_s > STARTS_S:
        return f"runs and does not serve: {one.silent}"
    return "unhealthy, by its health check" if one.health == "unhealthy" else ""


def _down(one: Container) -> str:
    since = f" since {span(one.since_s)}"
    if one.state == "restarting":
        return f"restarting, {_exit(one)}: it has ended {_times(max(1, one.restarts))}"
    if one.state == "created":
        return f"made and never started{': ' if one.said else ''}{one.said}"
    if one.state == "exited":
        return f"ended with {_exit(one)}{since}{': ' if one.said else ''}{one.said}"
    return f"{one.state}{since}"


def _exit(one: Container) -> str:
    return f"exit code {one.exit_code}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def span(seconds: float) -> str:
    """Return a time as people say it, in its largest unit: "40 s", "3 min", "5 h", "12 d"."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def ours(questions: "Mapping[str, Health]", *, deadline_s: float) -> "list[Container]":
    """Return our containers by service, those that do not run too; StepError when the engine does not say."""
    found = [of(one) for one in engine.containers(stopped=True, deadline_s=deadline_s)]
    return asked(sorted(found, key=lambda one: one.service), questions)
