"""Deciding about a change by the host itself: keep it when it is healthy, else put everything back."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import images, manifest, material, snapshot, units
from tempo_infra.on_host.containers import (
    NEVER_PULL,
    UP_DEADLINE_S,
    before_ours,
    compose,
    renew_network,
    running,
)
from tempo_infra.on_host.durable import remove_file, replace_symlink
from tempo_infra.on_host.garbage import tidy
from tempo_infra.on_host.health import Grpc, Http, Postgres
from tempo_infra.on_host.journal import Entry, in_journal, name_of, record, was_kept
from tempo_infra.on_host.layout import PROJECT, ZERO
from tempo_infra.on_host.lazy import Later
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change

if TYPE_CHECKING:
    from collections.abc import Callable

    from tempo_infra.on_host import database, http_health, reloading, role_health
    from tempo_infra.on_host.armed import Armed
    from tempo_infra.on_host.layout import Layout
else:
    database, role_health, http_health = map(Later, ("database", "role_health", "http_health"))
    reloading = Later("reloading")

HEALTH_DEADLINE_S, AGAIN_S, LOOK_EVERY_S = 120.0, 30.0, 2.0
RESTORE_S, PAUSE_S = 900.0, 15.0  # Docker may need minutes after a boot; then a person is needed


def check_health(
    layout: Layout, armed: Armed, generation: str, deadline_s: float = HEALTH_DEADLINE_S
) -> None:
    """Ask the database and every role of a generation themselves; StepError names who does not serve."""
    found = manifest.of_generation(layout, generation)
    wanted, questions = found.kept, found.questions(armed.host)
    if not wanted:
        return
    reloading.signal_readers(layout, found)
    for one in questions.values():
        if isinstance(one, Postgres):
            database.postgres_ready(layout, change.PostgresReady(one.host, one.port, deadline_s))
    if roles := {name: one for name, one in questions.items() if isinstance(one, Grpc)}:
        role_health.wait(layout, roles, deadline_s)
    for name, one in questions.items():
        if isinstance(one, Http):
            http_health.wait(layout, name, one, deadline_s)
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
    """Let containers that were recreated run for a while, and look again. StepError when one did not last."""
    if armed.started != armed.running:
        while (left_s := armed.healthy_at + armed.soak_s - guard.since_boot_s()) > 0:
            time.sleep(min(left_s, LOOK_EVERY_S))
            must_be_the_same(armed, layout)
        check_health(layout, armed, armed.generation, deadline_s=AGAIN_S)
    must_be_the_same(armed, layout)


def confirm(layout: Layout, armed: Armed, by: str) -> None:
    """Keep the new generation. StepError when a container is not the one that was healthy."""
    soak(layout, armed)
    _keep(layout, armed, by)


def _keep(layout: Layout, armed: Armed, by: str) -> None:
    generation = in_journal(armed.generation)
    entry = Entry(armed.run, "confirm", "confirmed", generation, detail=by, who=armed.who, login=armed.login)
    record(layout, replace(entry, inventory=armed.inventory))
    guard.disarm(layout, armed)


def settle(layout: Layout, armed: Armed, why: str, say: "Callable[[str], None]" = lambda _: None) -> str:
    """Decide without an operator and return what the host is now, in words. StepError: a person is needed."""
    if armed.phase == "healthy" and not was_kept(layout, armed.run):
        problem = _why_not_keep(layout, armed)
        if not problem:
            _keep(layout, armed, f"the host, by its health: {why}")
            tidy(layout)
            return f"confirmed: {name_of(armed.generation)}"
        why = f"{why}; {problem}"
    return failed(layout, armed, why, say)


def _why_not_keep(layout: Layout, armed: Armed) -> str:
    """Ask once more; also a generation whose files are gone or damaged is not healthy."""
    try:
        check_health(layout, armed, armed.generation, deadline_s=AGAIN_S)
        soak(layout, armed)
    except (StepError, OSError, ValueError, LookupError) as error:
        return str(error) or type(error).__name__
    return ""


def failed(layout: Layout, armed: Armed, why: str, say: "Callable[[str], None]" = lambda _: None) -> str:
    """Put the host back, or leave it where it is when that was asked for; what it is now, in words.

    What the journal says was confirmed stays: then only taking the guard away was cut short.
    """
    if was_kept(layout, armed.run):
        guard.disarm(layout, armed)
        return f"confirmed: {name_of(armed.generation)}"
    guard.release_reserve(layout)
    if armed.on_failure == "hold":
        record(layout, Entry(armed.run, "hold", "held", armed.generation, detail=why))
        guard.enter(layout, armed, "held")
        guard.disarm(layout, armed, keep_record=True)
        return f"held on {armed.generation[:12]}, unconfirmed"
    return roll_back(layout, armed, why, say)


def roll_back(layout: Layout, armed: Armed, why: str, say: "Callable[[str], None]" = lambda _: None) -> str:
    """Files, kernel values, symlink, containers: as before the change. StepError: a person is needed.

    From the first file on there is one way only: who goes on after a crash must not ask for health, which
    containers of the new generation still have while the files are those of the old one.
    """
    guard.release_reserve(layout)
    if armed.phase == "healthy":
        armed = guard.enter(layout, armed, "armed")
    _note(layout, armed, "started", why)
    try:
        restore_files(layout, armed)
        _read_units_again(layout, armed)
        _restore_containers(layout, armed, say)
    except (StepError, OSError, ValueError, LookupError, TypeError) as error:
        _note(layout, armed, "failed", str(error))
        guard.enter(layout, armed, "failed")
        guard.disarm(layout, armed, keep_record=True)
        raise StepError(f"the rollback failed: {error}", remedy=_by_hand(layout, armed)) from error
    done = Entry(
        armed.run,
        "rollback",
        "rolled back",
        armed.previous or "",
        detail=why,
        who=armed.who,
        login=armed.login,
    )
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


def restore_files(layout: Layout, armed: Armed) -> None:
    """Owned files, live values and what readers reload, then the symlink; needs no Docker, may be repeated.

    What can't be put back keeps nothing else from it: StepError names it, and a person goes on from there.
    """
    try:
        snapshot.put_back(layout, layout.state / armed.before)
        _put_material_back(layout, armed)
    finally:
        if armed.previous is None:
            remove_file(layout.current)
        else:
            replace_symlink(layout.current, f"generations/{armed.previous}")


def _put_material_back(layout: Layout, armed: Armed) -> None:
    """Have readers find again what they reloaded before; a manifest that nobody can read lists nothing."""
    lists = [manifest.NONE, manifest.NONE]
    for place, generation in enumerate((armed.previous or ZERO, armed.generation)):
        with contextlib.suppress(manifest.ManifestError, FileNotFoundError):
            lists[place] = manifest.of_generation(layout, generation)
    material.switch(layout, *lists)


def _read_units_again(layout: Layout, armed: Armed) -> None:
    """Tell systemd where a unit's file went back; a boot reads them anyway."""
    with contextlib.suppress(StepError):
        units.take_up(layout, snapshot.paths(layout.state / armed.before))


def _restore_containers(layout: Layout, armed: Armed, say: "Callable[[str], None]") -> None:
    until = time.monotonic() + RESTORE_S
    while problem := _containers_once(layout, armed):
        if time.monotonic() + PAUSE_S > until:
            raise StepError(problem)
        say(problem)
        time.sleep(PAUSE_S)
    if armed.previous is not None:
        check_health(layout, armed, armed.previous)


def _containers_once(layout: Layout, armed: Armed) -> str:
    """Put containers back, and return why that failed."""
    try:
        if armed.previous is None:
            before_ours(layout)
            return ""
        if not manifest.is_damaged(layout, armed.previous):
            images.have(layout, armed.previous, kept=True)  # someone may have pruned them meanwhile
        renew_network(layout)
        flags = ["up", "-d", "--remove-orphans", *NEVER_PULL]
        output = compose(layout, *flags, deadline_s=UP_DEADLINE_S)
    except StepError as error:
        return str(error)
    return "" if output.returncode == 0 else output.last_words


def _by_hand(layout: Layout, armed: Armed) -> str:
    if armed.previous is None:
        ejected = layout.zero_compose_file.is_file()
        words = f"-f {layout.zero_compose_file} up -d" if ejected else f"-p {PROJECT} down"
        return f"on the host: docker compose {words}   (data in /srv/tempo stays)"
    return (
        f"files and {layout.current} are those of {armed.previous[:12]} unless the text above names one;\n"
        f"  on the host: docker compose -f {layout.compose_file} up -d --remove-orphans\n"
        f"  then tempo-infra provision again"
    )
