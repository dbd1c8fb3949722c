"""What a host's journal says, in lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.on_host.condition import span, starts, trouble
from tempo_infra.on_host.journal import name_of
from tempo_infra.on_host.layout import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.on_host.condition import Container
    from tempo_infra.on_host.runs import Runs


def status_line(runs: Runs) -> str:
    """Return one line: the generation, and what is not decided about it."""
    now = runs.current[:12] if runs.current else _without_a_generation(runs)
    if runs.open_run:
        return f"{now}  ! run {runs.open_run} is not over; it decides by itself in {runs.decides_in_s:.0f} s"
    if runs.phase == "held":
        return f"{now}  ! held after a failure, not confirmed; `tempo-infra provision` goes on from there"
    if runs.phase == "failed":
        return f"{now}  ✗ its rollback failed: a person is needed (`tempo-infra history` says why)"
    if runs.current is None:
        return now
    database = f"  database {runs.database}" if runs.database else ""
    return f"{now}  {'confirmed' if runs.confirmed == runs.current else '! not confirmed'}{database}"


def service_lines(runs: Runs) -> Iterator[str]:
    """Yield a line for each service that should run: whether it does its work, and since when."""
    if runs.unasked:
        yield f"✗ nobody knows what runs: {runs.unasked}"
    at = {one.service: one for one in runs.containers}
    strays = set(at) if runs.current else set()  # else they are nobody's, as after `eject`
    for name in sorted({*runs.services, *strays}) if not runs.unasked else ():
        ok, words = _service(at.get(name), wanted=name in runs.services)
        yield f"{'✓' if ok else '✗'} {name:<11} {words}"


def _service(one: Container | None, *, wanted: bool) -> tuple[bool, str]:
    """Return whether a service is as it should be, and how it is."""
    if one is None:
        return False, "missing: it has no container"
    if not wanted:
        return False, f"{one.state} for {span(one.since_s)}, and no generation names it"
    if words := trouble(one):
        return False, words
    if starts(one):
        return False, f"started {span(one.since_s)} ago, does not serve yet: {one.silent}"
    often = f", restarted by itself: {one.restarts}" if one.restarts else ""
    return True, f"{'healthy' if one.health == 'healthy' else 'serves'} for {span(one.since_s)}{often}"


def is_well(runs: Runs) -> bool:
    """Whether nothing is left to be done on a host: decided, and all services serve."""
    decided = bool(runs.open_run) or runs.confirmed == runs.current
    return (
        decided
        and runs.phase not in ("held", "failed")
        and not any(line.startswith("✗") for line in service_lines(runs))
    )


def _without_a_generation(runs: Runs) -> str:
    """Tell a host that went back to before its first provision from one that never had any."""
    decided = [one.generation for one in runs.entries if one.result in ("confirmed", "rolled back")]
    if decided and decided[-1]:
        return f"no generation is current, and the journal says {name_of(decided[-1])}"
    return name_of(ZERO) if decided else "nothing provisioned"
