"""Open files: what logins, the container runtime and each container process may have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.checks.check import Phase, check
from tempo_infra.checks.finding import (
    Finding,
    Outcome,
    Severity,
    at_least,
    at_most,
    follow,
    judged,
    noting,
    number,
    skipped,
    together,
    unread,
)
from tempo_infra.on_host.probes.nofile import UNLIMITED, Limits, Service
from tempo_infra.on_host.probes.reading import Reading

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.docker import Container

SOFT_LOGIN = 1024  # what every distribution gives; less breaks ordinary tools
HARD_FLOOR = 4096  # below this Temporal's history service runs out under load
IN_USE_PERCENT = 50
IN_USE_FAIL_PERCENT = 80
POSTGRES_FILES = 1000  # max_files_per_process when the server can't be asked
POSTGRES_OWN_FILES = 24  # what PostgreSQL opens beside data files: fd.c wants 10 more, the rest is margin
_SYSTEMD = "https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#Process%20Properties"
_ELASTIC = "https://www.elastic.co/docs/deploy-manage/deploy/self-managed/file-descriptors"


def _limit(value: int) -> str:
    return "unlimited" if value == UNLIMITED else str(value)


def _shown(limits: Limits) -> str:
    return f"{_limit(limits.soft)}/{_limit(limits.hard)}"


def _hard(limits: Limits, wanted: int, *, fail: int | None) -> Finding:
    """Compare the hard limit: a Go server keeps its own soft limit one below it."""
    compared = at_least(limits.hard, wanted, fail=fail)
    return Finding(
        outcome=compared.outcome,
        found=_shown(limits),
        wanted=f"hard {compared.wanted}",
        evidence={"soft": limits.soft, "hard": limits.hard},
    )


@check(
    "nofile.login",
    "a login may open enough files",
    severity=Severity.ADVICE,
    wants="soft at least 1024, hard at least the inventory's limits.nofile, in a fresh login",
    remedy="tempo-infra provision -i {inventory} --host {host} writes limits.d; then log in again",
    source="https://man7.org/linux/man-pages/man5/limits.conf.5.html",
)
def login(facts: Facts, expected: Expected) -> Finding:
    def judge(limits: Limits) -> Finding:
        hard = _hard(limits, expected.nofile, fail=None)
        soft = at_least(limits.soft, SOFT_LOGIN)
        return Finding(
            outcome=max(hard.outcome, soft.outcome, key=lambda one: one.rank),
            found=_shown(limits),
            wanted=f"soft {soft.wanted}, {hard.wanted}",
            evidence=hard.evidence,
        )

    return judged(follow(facts.nofile, lambda part: part.login), judge)


@check(
    "nofile.runtime",
    "the container runtime hands on enough open files",
    severity=Severity.CRITICAL,
    wants="containerd's hard limit at least limits.nofile; below 4096 it fails",
    remedy="raise LimitNOFILE in a drop-in for containerd.service; till then compose's ulimits count",
    source=_SYSTEMD,
)
def runtime(facts: Facts, expected: Expected) -> Finding:
    reading = follow(facts.nofile, lambda part: part.containerd)
    return judged(reading, lambda told: _hard(told.limits, expected.nofile, fail=HARD_FLOOR))


@check(
    "nofile.service",
    "sshd, Docker and containerd have open files left",
    severity=Severity.MAJOR,
    wants=f"soft limit at least {SOFT_LOGIN}, at most half of it in use; beyond {IN_USE_FAIL_PERCENT} % "
    "it fails",
    remedy="raise LimitNOFILE in a drop-in for the service; ls -l /proc/PID/fd says what it holds",
    source=_SYSTEMD,
)
def service(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    """Judge what logins inherit where PAM sets none, and what holds each container's log and ports."""
    del expected
    if facts.nofile.value is None:
        return unread(facts.nofile)
    told = facts.nofile.value
    each = {"sshd": told.sshd, "dockerd": told.dockerd, "containerd": told.containerd}
    return tuple(replace(judged(reading, _service), subject=name) for name, reading in each.items())


def _service(told: Service) -> Finding:
    soft = at_least(told.limits.soft, SOFT_LOGIN)
    allowed = Finding(
        outcome=soft.outcome,
        found=_shown(told.limits),
        wanted=f"soft {soft.wanted}",
        evidence={"soft": told.limits.soft, "hard": told.limits.hard},
    )
    return together(allowed, _in_use(told.open, told.limits))


@check(
    "nofile.container",
    "each container process may open enough files",
    severity=Severity.CRITICAL,
    phase=Phase.AFTER,
    wants="Temporal: hard at least limits.nofile; PostgreSQL: soft at least max_files_per_process + 24; "
    "at most half of the soft limit in use",
    remedy="compose sets it: tempo-infra provision -i {inventory} --host {host}",
    source=_ELASTIC,
)
def container(facts: Facts, expected: Expected) -> Finding | tuple[Finding, ...]:
    containers = follow(facts.docker, lambda part: part.containers)
    if containers.value is None:
        return unread(containers)
    ours = [one for one in containers.value if one.ours]
    if not ours:
        return skipped("no container of the cluster runs here")
    return tuple(_container(one, facts, expected) for one in ours)


def _container(one: Container, facts: Facts, expected: Expected) -> Finding:
    if not one.pid:
        return _about(one, skipped(f"it has no process: {one.state}"))
    limits = one.nofile.value
    if limits is None:
        return _about(one, unread(one.nofile))
    if one.service.startswith("postgres"):
        needed = _files_per_process(facts) + POSTGRES_OWN_FILES
        compared = at_least(limits.soft, needed, fail=needed)
        allowed = Finding(
            outcome=compared.outcome,
            found=_shown(limits),
            wanted=f"soft {compared.wanted}",
            evidence={"soft": limits.soft, "hard": limits.hard},
        )
    else:
        allowed = _hard(limits, expected.nofile, fail=min(HARD_FLOOR, expected.nofile))
    several = "" if one.processes == 1 else f"the lowest of {one.processes} processes"
    return _about(one, noting(together(allowed, _in_use(one.files_in_use, limits)), several))


def _about(one: Container, finding: Finding) -> Finding:
    return replace(finding, subject=one.service or one.name)


def _in_use(used: Reading[int], limits: Limits) -> Finding:
    """Compare open files with the soft limit; not being allowed to count them spoils nothing else."""
    if used.value is None:
        return Finding(outcome=Outcome.SKIP, note=f"open files not counted: {used.unread}")
    percent = 100 * used.value / max(1, limits.soft)
    compared = at_most(percent, IN_USE_PERCENT, fail=IN_USE_FAIL_PERCENT, unit="%")
    return Finding(
        outcome=compared.outcome,
        note=f"{used.value} open"
        + ("" if compared.outcome is Outcome.PASS else f" = {number(percent, '%')}"),
        evidence={"open": used.value},
    )


def _files_per_process(facts: Facts) -> int:
    settings: Reading[int] = follow(
        facts.postgres,
        lambda part: follow(part.settings, lambda known: Reading(known.max_files_per_process)),
    )
    return POSTGRES_FILES if settings.value is None else settings.value
