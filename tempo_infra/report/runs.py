"""How a host stands: its generation, what is undecided, what runs. In lines for people, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host.condition import span, starts, trouble
from tempo_infra.on_host.journal import name_of
from tempo_infra.on_host.layout import ZERO
from tempo_infra.report.errors import errors_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tempo_infra.errors import TempoInfraError
    from tempo_infra.on_host.condition import Container
    from tempo_infra.on_host.runs import Runs


@dataclass(frozen=True, slots=True)
class Service:
    """One that should run on a host, or runs there without being asked for."""

    name: str
    ok: bool
    state: str  # in words


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


def services(runs: Runs) -> Iterator[Service]:
    """Yield each service: whether it does its work, and since when; none where the engine was silent."""
    at = {one.service: one for one in runs.containers}
    strays = set(at) if runs.current else set()  # else they are nobody's, as after `eject`
    for name in sorted({*runs.services, *strays}) if not runs.unasked else ():
        ok, words = _service(at.get(name), wanted=name in runs.services)
        yield Service(name, ok, words)


def service_lines(runs: Runs) -> Iterator[str]:
    """Yield a line for each service."""
    if runs.unasked:
        yield f"✗ nobody knows what runs: {runs.unasked}"
    for one in services(runs):
        yield f"{'✓' if one.ok else '✗'} {one.name:<11} {one.state}"


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
        and not runs.unasked
        and all(one.ok for one in services(runs))
    )


def status_json(answers: Mapping[str, Runs], errors: Mapping[str, TempoInfraError]) -> str:
    """Return every host's state; `generation` is a digest, or null for none."""
    hosts = {name: _host(runs) for name, runs in answers.items()}
    return json.dumps({"schema": 1, "hosts": hosts, "errors": errors_json(errors)}, indent=1)


def _host(runs: Runs) -> dict[str, object]:
    return {
        "ok": is_well(runs),
        "cluster": runs.cluster,
        "generation": runs.current,
        "confirmed": runs.current is not None and runs.confirmed == runs.current,
        "phase": runs.phase,
        "open_run": runs.open_run,
        "decides_in_s": round(runs.decides_in_s, 1),
        "database": runs.database,
        "services_unknown": runs.unasked,
        "services": [asdict(one) for one in services(runs)],
    }


def _without_a_generation(runs: Runs) -> str:
    """Tell a host that went back to before its first provision from one that never had any."""
    decided = [one.generation for one in runs.entries if one.result in ("confirmed", "rolled back")]
    if decided and decided[-1]:
        return f"no generation is current, and the journal says {name_of(decided[-1])}"
    return name_of(ZERO) if decided else "nothing provisioned"
