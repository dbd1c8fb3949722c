"""The runs of a cluster, as its hosts' journals tell them: when, by whom, how each ended, what it changed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host.journal import DECIDED, NOTE, RESTART
from tempo_infra.on_host.layout import ZERO
from tempo_infra.report.errors import errors_json
from tempo_infra.report.wrapping import lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tempo_infra.errors import TempoInfraError
    from tempo_infra.on_host.journal import Entry
    from tempo_infra.on_host.runs import Runs

USUAL = ("health", "")  # why a change is kept, nearly always
# Steps that only look, or wait: a run that did nothing else on a host has left it as it was.
LOOKING = {
    *("preflight", "disk-speed", "local-login", "members-gone", "database-answers", "serving", "membership"),
    *("postgres-ready", "ring", "login", "unused", "roles", "owners", "healthy", "still", "boot-id"),
    "validate",
}
SAID = {"origin": "took note of the secrets file", "drain": "maintenance", "command": "a command was run"}


@dataclass(frozen=True, slots=True)
class Past:
    """One run on one host."""

    time: str  # of its end
    run: str
    result: str  # "confirmed", "rolled back", "held", "failed", "done", "unchanged" or "ended early"
    generation: str  # that the host was on afterwards, where the run decided about one
    who: str
    what: str  # what it changed, or was about
    why: str  # it ended as it did, where that is not as usual


def past(entries: Iterable[Entry]) -> Iterator[Past]:
    """Yield the runs of a journal, the newest last."""
    by_run: dict[str, list[Entry]] = {}
    for entry in entries:
        by_run.setdefault(entry.run, []).append(entry)
    for run, found in by_run.items():
        end = next((one for one in reversed(found) if one.result in DECIDED), None)
        bad = next((one for one in reversed(found) if one.result == "failed"), None)
        said = next((one for one in reversed(found) if one.step == NOTE), None)
        who = next((_who(one) for one in reversed(found) if one.who), "")
        decided = end if end and not _later(found, bad, end) else None
        last = decided or bad or found[-1]
        result, why = _ended(found, decided, bad)
        what = said.detail if said else _seen(found)
        generation = decided.generation if decided else ""
        yield Past(last.time, run, result, generation, who, what, why)


def _who(entry: Entry) -> str:
    """Return what the operator's program said, and beside it what the host knows by itself."""
    return entry.who and f"{entry.who} ({entry.login})" if entry.login else entry.who


def _later(found: list[Entry], bad: Entry | None, end: Entry) -> bool:
    """Whether a rollback failed after the decision: then a person is needed, whatever was decided before."""
    return bad is not None and bad.step == "rollback" and found.index(bad) > found.index(end)


def _ended(found: list[Entry], decided: Entry | None, bad: Entry | None) -> tuple[str, str]:
    if decided is not None:
        return decided.result, "" if decided.detail in USUAL else decided.detail
    if bad is not None:
        return "failed", f"{bad.step}: {bad.detail}" if bad.detail else bad.step
    steps = {one.step for one in found}
    if steps <= LOOKING:
        return "unchanged", ""
    if steps & {"arm", "switch", "hold", "rollback", "confirm"}:
        return "ended early", f"after {found[-1].step}"
    return "done", ""


def _seen(found: list[Entry]) -> str:
    """Say what an older journal has, which did not say what a run is about."""
    again = [f"{one.detail} ({one.seconds:.1f} s)" for one in found if one.step == RESTART and one.detail]
    parts = [f"restarted {', '.join(again)}"] if again else []
    return "; ".join([*parts, *(SAID[step] for step in dict.fromkeys(e.step for e in found) if step in SAID)])


@dataclass(frozen=True, slots=True)
class ClusterRun:
    """One run, on the hosts that know of it."""

    run: str
    time: str  # of its last end, by the hosts' clocks
    who: str
    hosts: Mapping[str, Past]


def cluster_runs(answers: Mapping[str, Runs]) -> list[ClusterRun]:
    """Return the runs of all hosts, the newest last."""
    found: dict[str, dict[str, Past]] = {}
    for name, runs in answers.items():
        for one in past(runs.entries):
            found.setdefault(one.run, {})[name] = one
    made = [
        ClusterRun(
            run,
            max(one.time for one in hosts.values()),
            next((one.who for one in hosts.values() if one.who), ""),
            hosts,
        )
        for run, hosts in found.items()
    ]
    return sorted(made, key=lambda one: one.time)


def history_lines(answers: Mapping[str, Runs]) -> Iterator[str]:
    """Yield a line for each run, and below it how it ended on each host, what it changed there and why so."""
    for one in cluster_runs(answers):
        yield f"{one.time}  {one.run}  {one.who}".rstrip()
        for name, here in one.hosts.items():
            ended = f" {here.generation[:12] or f'generation {ZERO}'}" if here.result in DECIDED else ""
            yield f"  {name:<12}{here.result}{ended}"
            for line in filter(None, (here.what, here.why and f"because: {here.why}")):
                yield from lines(line, "      ", "        ")


def history_json(answers: Mapping[str, Runs], errors: Mapping[str, TempoInfraError]) -> str:
    """Return the runs of each host, the newest last, and the error of each that could not be asked."""
    hosts = {name: [asdict(one) for one in past(runs.entries)] for name, runs in answers.items()}
    return json.dumps({"schema": 1, "hosts": hosts, "errors": errors_json(errors)}, indent=1)
