"""From a symptom to its causes: which the evidence supports, which it rules out, what nobody measured.

A cause is supported when a check that would show it warns or fails; it is ruled out when each of them passed
wherever it applies. A check that was skipped or unknown rules nothing out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tempo_infra.checks.finding import Finding, Outcome
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Standing(StrEnum):
    SUPPORTED = "supported"
    RULED_OUT = "ruled out"
    NOT_MEASURABLE = "not measurable"


@dataclass(frozen=True, slots=True)
class Cause:
    name: str
    how: str  # it leads to the symptom
    checks: tuple[str, ...]
    otherwise: str  # how to look, where these checks can't tell
    rules_out: bool = True  # False: passing checks are a moment's, and prove nothing


@dataclass(frozen=True, slots=True)
class Diagnosed:
    cause: str
    how: str
    standing: Standing
    evidence: tuple[str, ...]
    next: str  # what to do or where to look


SYMPTOMS: Mapping[str, tuple[Cause, ...]] = {
    "context-deadline-exceeded": (
        Cause(
            "a service is down or not a member",
            "calls wait for a role that nobody serves",
            ("container.state", "temporal.health", "temporal.members"),
            "docker ps -a on each host",
        ),
        Cause(
            "the hosts don't reach each other, or slowly",
            "each step of a workflow makes several calls between hosts, one after the other",
            ("net.reach", "net.rtt"),
            "check-host with an inventory asks every host for every other one",
        ),
        Cause(
            "workers are far from the frontend",
            "each task is polled, started and completed over this distance",
            ("net.frontend",),
            "check-host --frontend HOST:PORT on a host where workers run",
        ),
        Cause(
            "durable writes are slow",
            "each step of a workflow waits for a flush of the WAL on the database host",
            ("disk.fsync",),
            "check-host --with-load on the database host, or track_wal_io_timing = on",
        ),
        Cause(
            "the hypervisor takes CPU time away",
            "all of a host's calls are late together, and nothing on the host shows why",
            ("cpu.steal",),
            "check-host --with-load, at the hour when it happens",
        ),
        Cause(
            "the database has no connections left",
            "a service waits for a connection of its pool until the deadline",
            ("postgres.connections",),
            "select usename, state, count(*) from pg_stat_activity group by 1, 2",
        ),
        Cause(
            "a process has no open files left",
            "new connections fail, and clients try again until the deadline",
            ("nofile.container", "fs.filenr"),
            "ls /proc/PID/fd | wc -l on the host",
        ),
        Cause(
            "memory ran out, or was swapped",
            "a killed history service gives its shards away, and calls to them wait meanwhile",
            ("kernel.log", "mem.swap"),
            "journalctl --dmesg --boot on the host",
        ),
        Cause(
            "calls wait for shard locks",
            "writes of one shard queue behind a slow one",
            ("temporal.shardlock",),
            "the metric semaphore_latency of the history service, operation ShardInfo",
        ),
        Cause(
            "sessions of the database wait for each other's locks",
            "a write waits until the one before it ends",
            ("postgres.locks",),
            "select pid, pg_blocking_pids(pid), query from pg_stat_activity where wait_event_type = 'Lock'",
            rules_out=False,
        ),
        Cause(
            "no worker polls a task queue, or too few do",
            "a task waits in its queue until its schedule-to-start deadline",
            ("temporal.backlog",),
            "temporal task-queue describe shows who polls",
        ),
        Cause(
            "all slots of the workers are taken",
            "a worker polls only while it has a free slot, so tasks wait although it is up",
            ("temporal.slots",),
            "name the workers' metrics, --worker-metrics HOST:PORT; the SDK calls the figure "
            "temporal_worker_task_slots_available",
        ),
    )
}


def causes(symptom: str) -> tuple[Cause, ...]:
    """Return the causes of a symptom; InputError when it isn't known."""
    if symptom not in SYMPTOMS:
        raise InputError(f"no symptom {symptom!r}", remedy=f"there are: {', '.join(SYMPTOMS)}")
    return SYMPTOMS[symptom]


def checks_for(symptom: str) -> tuple[str, ...]:
    """Return the checks that bear on a symptom."""
    return tuple(dict.fromkeys(check for cause in causes(symptom) for check in cause.checks))


def diagnose(symptom: str, hosts: Mapping[str, Sequence[Finding]]) -> tuple[Diagnosed, ...]:
    """Weigh each cause by all hosts' findings: supported ones first, then what could not be measured."""
    found = [_weigh(cause, hosts) for cause in causes(symptom)]
    return tuple(sorted(found, key=lambda one: _ORDER.index(one.standing)))


_ORDER = (Standing.SUPPORTED, Standing.NOT_MEASURABLE, Standing.RULED_OUT)


def _weigh(cause: Cause, hosts: Mapping[str, Sequence[Finding]]) -> Diagnosed:
    bearing = [(host, one) for host, found in hosts.items() for one in found if one.id in cause.checks]
    bad = [(host, one) for host, one in bearing if one.outcome in (Outcome.WARN, Outcome.FAIL)]
    good = [(host, one) for host, one in bearing if one.outcome is Outcome.PASS]
    unread = [(host, one) for host, one in bearing if one.outcome is Outcome.UNKNOWN]
    if bad:
        remedies = dict.fromkeys(one.remedy for _, one in bad if one.remedy)
        return _told(cause, Standing.SUPPORTED, bad, "; ".join(remedies))
    measured = {one.id for _, one in good}
    if cause.rules_out and cause.checks and not unread and measured >= set(cause.checks):
        return _told(cause, Standing.RULED_OUT, good, "")
    return _told(cause, Standing.NOT_MEASURABLE, [*unread, *good], cause.otherwise)


def _told(cause: Cause, standing: Standing, evidence: Sequence[tuple[str, Finding]], then: str) -> Diagnosed:
    lines = tuple(_line(host, one) for host, one in evidence)
    return Diagnosed(cause.name, cause.how, standing, lines, then)


def _line(host: str, one: Finding) -> str:
    subject = f" {one.subject}:" if one.subject else ""
    wanted = f" ({one.wanted})" if one.wanted and one.outcome is not Outcome.PASS else ""
    note = f": {one.note}" if one.outcome is Outcome.UNKNOWN and one.note else ""
    return f"{host} {one.id}{subject} {one.found}{wanted}{note}"
