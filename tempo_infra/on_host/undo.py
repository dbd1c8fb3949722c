"""Deciding about a change by the host itself: keep it when it is healthy, else put everything back."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import snapshot
from tempo_infra.on_host.containers import UP_DEADLINE_S, compose, running
from tempo_infra.on_host.durable import remove_file, replace_symlink
from tempo_infra.on_host.journal import Entry, record, was_kept
from tempo_infra.on_host.later import Later
from tempo_infra.on_host.layout import PROJECT
from tempo_infra.on_host.shell import StepError, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tempo_infra.on_host import database, role_health, ui_health
    from tempo_infra.on_host.armed import Armed
    from tempo_infra.on_host.layout import Layout
else:
    database, role_health, ui_health = map(Later, ("database", "role_health", "ui_health"))

POSTGRES_PORT = 5432
HEALTH_DEADLINE_S, AGAIN_S, LOOK_EVERY_S = 120.0, 30.0, 2.0
TRIES, PAUSE_S = 8, 15.0  # Docker may need minutes after a boot; then a person is needed


def kept_services(layout: Layout, generation: str) -> "list[str]":
    """Return the services of a generation that are kept running."""
    manifest = json.loads((layout.generations / generation / "manifest.json").read_text())
    return sorted(name for name, one in manifest["services"].items() if not one["job"])


def check_health(
    layout: Layout, armed: Armed, generation: str, deadline_s: float = HEALTH_DEADLINE_S
) -> None:
    """Ask the database and every role of a generation themselves; StepError names who does not serve."""
    wanted = kept_services(layout, generation)
    if not wanted:
        return
    if "postgresql" in wanted:
        database.postgres_ready(layout, database.Address(armed.host, POSTGRES_PORT, deadline_s))
    ports = {role: port for role, port in armed.ports.items() if role in wanted}
    ui = ports.pop("ui", None)
    if ports:
        role_health.role_health(layout, role_health.RoleHealthArgs(armed.host, ports, deadline_s))
    if ui is not None:
        ui_health.ui_answers(layout, armed.host, ui, deadline_s)
    missing = sorted(set(wanted) - set(running(layout)))
    if missing:
        raise StepError(f"not running: {', '.join(missing)}")


def mark_healthy(layout: Layout, armed: Armed) -> Armed:
    """Check health and remember which containers it was, to see at confirmation that they still are."""
    check_health(layout, armed, armed.generation)
    return guard.enter_healthy(layout, armed, running(layout))


def must_be_the_same(armed: Armed, layout: Layout) -> None:
    """Raise StepError when a container is not the one that was healthy: it crashed, or someone was at it."""
    now, then = running(layout), armed.started
    moved = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if moved:
        raise StepError(f"restarted or ended after it was healthy: {', '.join(moved)}")


def soak(layout: Layout, armed: Armed) -> None:
    """Let containers that were made anew run for a while, and look again. StepError when one did not last."""
    if armed.started != armed.running:
        while (left_s := armed.healthy_at + armed.soak_s - guard.since_boot_s()) > 0:
            time.sleep(min(left_s, LOOK_EVERY_S))
            must_be_the_same(armed, layout)
        check_health(layout, armed, armed.generation, deadline_s=AGAIN_S)
    must_be_the_same(armed, layout)


def confirm(layout: Layout, armed: Armed, by: str) -> None:
    """Keep the new generation. StepError when a container is not the one that was healthy."""
    soak(layout, armed)
    record(layout, Entry(armed.run, "confirm", "confirmed", armed.generation, detail=by, who=armed.who))
    guard.disarm(layout, armed)


def settle(layout: Layout, armed: Armed, why: str, say: "Callable[[str], None]" = lambda _: None) -> str:
    """Decide without an operator and return what the host is now, in words. StepError: a person is needed."""
    if was_kept(layout, armed.run):
        guard.disarm(layout, armed)  # the power went between the confirmation and taking the guard away
        return f"confirmed: {armed.generation[:12]}"
    if armed.phase == "healthy":
        try:
            check_health(layout, armed, armed.generation, deadline_s=AGAIN_S)
            confirm(layout, armed, by=f"the host, by its health: {why}")
        except StepError as error:
            why = f"{why}; {error}"
        else:
            return f"confirmed: {armed.generation[:12]}"
    return failed(layout, armed, why, say)


def failed(layout: Layout, armed: Armed, why: str, say: "Callable[[str], None]" = lambda _: None) -> str:
    """Put the host back, or leave it where it is when that was asked for; what it is now, in words."""
    guard.release_reserve(layout)
    if armed.on_failure == "hold":
        guard.enter(layout, armed, "held")
        record(layout, Entry(armed.run, "hold", "held", armed.generation, detail=why))
        guard.disarm(layout, armed, keep_record=True)
        return f"held on {armed.generation[:12]}, unconfirmed"
    return roll_back(layout, armed, why, say)


def roll_back(layout: Layout, armed: Armed, why: str, say: "Callable[[str], None]" = lambda _: None) -> str:
    """Files, kernel values, symlink, containers: as before the change. StepError: a person is needed."""
    guard.release_reserve(layout)
    _note(layout, armed, "started", why)
    try:
        restore_files(layout, armed)
        _restore_containers(layout, armed, say)
    except (StepError, OSError, ValueError) as error:
        guard.enter(layout, armed, "failed")
        _note(layout, armed, "failed", str(error))
        guard.disarm(layout, armed, keep_record=True)
        raise StepError(f"the rollback failed: {error}", remedy=_by_hand(layout, armed)) from error
    done = Entry(armed.run, "rollback", "rolled back", armed.previous or "", detail=why, who=armed.who)
    try:
        record(layout, done)
    except OSError as error:
        raise StepError(
            f"back on {name_of(armed.previous)}, but the journal can't say so: {error}",
            remedy="make room; until then the host tries again by itself",
        ) from error
    guard.disarm(layout, armed)
    return f"back on {name_of(armed.previous)}"


def _note(layout: Layout, armed: Armed, result: str, why: str) -> None:
    """Write into the journal; a full disk must not stop a rollback."""
    with contextlib.suppress(OSError):
        record(layout, Entry(armed.run, "rollback", result, armed.previous or "", detail=why, who=armed.who))


def name_of(generation: Optional[str]) -> str:
    return generation[:12] if generation else "what was there before the first provision (generation 0)"


def restore_files(layout: Layout, armed: Armed) -> None:
    """Owned files and live values, then the symlink; needs no Docker and may be repeated."""
    snapshot.put_back(layout, layout.state / armed.before)
    if armed.previous is None:
        remove_file(layout.current)
    else:
        replace_symlink(layout.current, f"generations/{armed.previous}")


def _restore_containers(layout: Layout, armed: Armed, say: "Callable[[str], None]") -> None:
    problem = ""
    for attempt in range(TRIES):
        if attempt:
            say(problem)
            time.sleep(PAUSE_S)
        try:
            problem = _containers_once(layout, armed)
        except StepError as error:
            problem = str(error)
        if not problem:
            break
    else:
        raise StepError(problem)
    if armed.previous is not None:
        check_health(layout, armed, armed.previous)


def _containers_once(layout: Layout, armed: Armed) -> str:
    if armed.previous is None:
        words = ["docker", "compose", "-p", PROJECT, "down", "--remove-orphans", "--timeout", "120"]
        output = run(words, deadline_s=UP_DEADLINE_S)
    else:
        flags = ["up", "-d", "--remove-orphans"]  # pulls again what someone pruned meanwhile
        output = compose(layout, *flags, deadline_s=UP_DEADLINE_S)
    return "" if output.returncode == 0 else output.last_words


def _by_hand(layout: Layout, armed: Armed) -> str:
    if armed.previous is None:
        return f"on the host: docker compose -p {PROJECT} down   (data in /srv/tempo stays)"
    return (
        f"files and {layout.current} are those of {armed.previous[:12]} unless the text above names one;\n"
        f"  on the host: docker compose -f {layout.compose_file} up -d --remove-orphans\n"
        f"  then tempo-infra provision again"
    )
