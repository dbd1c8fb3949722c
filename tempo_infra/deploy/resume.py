"""Asking hosts about their runs: how one ended, where each stands. Nothing is run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host.journal import name_of
from tempo_infra.on_host.runs import Runs
from tempo_infra.on_host.steps import reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Host

WAIT_S = 180.0  # a host decides after its grace of silence, and putting back takes its time


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended on one host."""

    # "confirmed", "rolled back", "held", "rollback failed", "not switched", "still open", "not known"
    state: str
    text: str


def ask_runs(
    fleet: Fleet, hosts: Sequence[Host], run: str = "", wait_s: float = 0.0
) -> tuple[dict[str, Runs], Mapping[str, TempoInfraError]]:
    """Read the hosts' journals; with a run and `wait_s`, wait until it is over on each."""
    return fleet.ask({host.name: [reading.Runs(run, wait_s)] for host in hosts}, hosts, Runs)


def ask_status(fleet: Fleet, hosts: Sequence[Host]) -> tuple[dict[str, Runs], Mapping[str, TempoInfraError]]:
    """As `ask_runs`, with what runs there and whether it serves."""
    steps = {host.name: [reading.Runs(host=host.internal)] for host in hosts}
    return fleet.ask(steps, hosts, Runs)


def ending(runs: Runs, run: str) -> Ending:
    """Say how a run ended on a host, from the host's own record. Another run's state is not this one's."""
    if runs.open_run == run:
        return Ending("still open", f"is not decided yet; it decides by itself in {runs.decides_in_s:.0f} s")
    if runs.at_work == run:
        return Ending("still open", "is still at work")
    last, generation, detail = "not switched", "", ""
    for entry in runs.entries:
        state = {"confirmed": "confirmed", "rolled back": "rolled back", "held": "held"}.get(entry.result)
        if entry.step == "rollback" and entry.result == "failed":
            state = "rollback failed"
        if entry.step == "switch" and last == "not switched":
            state = "not known"
        if state:
            last, generation, detail = state, entry.generation, entry.detail
    name = name_of(generation)
    words = {
        "confirmed": f"confirmed {name}",
        "rolled back": f"rolled back to {name}",
        "held": f"held on {name}, unconfirmed",
        "rollback failed": "its rollback failed: a person is needed",
        "not known": "was switched, and nothing says how it ended: see `tempo-infra status`",
        "not switched": "was not switched",
    }[last]
    return Ending(last, words + (f" ({detail})" if detail else ""))
