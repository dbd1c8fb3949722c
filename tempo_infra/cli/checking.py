"""The stages of check-host: which hosts, their facts, what is found, the report."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from tempo_infra.checks import Expected, Outcome, Phase, find, judge, verdict
from tempo_infra.checks.expected import HostClock
from tempo_infra.cli.check_measuring import kept
from tempo_infra.cli.exit_codes import ExitCode, exit_code
from tempo_infra.cli.hints import shown
from tempo_infra.cli.options import DEFAULT_INVENTORY
from tempo_infra.errors import HostKeyError, InputError, TempoInfraError
from tempo_infra.inventory.catalogue import built_in
from tempo_infra.inventory.cluster import Host, Role
from tempo_infra.on_host.facts import Facts
from tempo_infra.report.escaping import plain
from tempo_infra.report.result import CheckRun, HostResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tempo_infra.checks import Finding
    from tempo_infra.checks.expected import EarlierSize
    from tempo_infra.cli.check_measuring import Answers
    from tempo_infra.inventory.cluster import Cluster, InstanceClass

LOCAL = "localhost"
_NEEDS_ROOT = re.compile(r"\buid \d+ may not|only root|permission denied|not permitted")


@dataclass(frozen=True, slots=True)
class Source:
    """Where facts come from; exactly one way of naming hosts."""

    targets: tuple[str, ...]
    inventory: Path | None
    names: tuple[str, ...]
    class_name: str
    local: bool
    kept: Path | None  # a file of facts


@dataclass(frozen=True, slots=True)
class Selection:
    only: tuple[str, ...]
    skip: tuple[str, ...]
    ignore: tuple[str, ...]
    phase: str


@dataclass(frozen=True, slots=True)
class Subject:
    """One host of this run."""

    name: str
    address: str
    expected: Expected
    host: Host | None = None  # None for this machine, and for kept facts
    cluster: Cluster | None = None  # None without an inventory


def subjects(source: Source, selection: Selection) -> tuple[Subject, ...]:
    """Say which hosts are asked; InputError before anything is contacted."""
    for name in (*selection.only, *selection.skip, *selection.ignore):
        find(name)
    if source.targets and (source.inventory or source.local or source.names):
        raise InputError("hosts are named on the command line, by an inventory or by --local: choose one")
    if source.kept:
        return tuple(_kept_subject(name, source) for name in kept(source.kept))
    if source.targets:
        profile = _instance_class(source)
        hosts = tuple(Host.without_inventory(target, profile) for target in dict.fromkeys(source.targets))
        return tuple(
            Subject(one.name, one.ssh.address, Expected.for_class(profile, host=one.name), one)
            for one in hosts
        )
    if source.local:
        return (_local_subject(source),)
    return _of_inventory(source)


def _instance_class(source: Source) -> InstanceClass:
    known = built_in().classes
    if source.class_name not in known:
        raise InputError(f"no class {source.class_name!r}", remedy=f"there are: {', '.join(known)}")
    return known[source.class_name]


def _of_inventory(source: Source) -> tuple[Subject, ...]:
    from tempo_infra.inventory import load

    cluster = load(source.inventory or DEFAULT_INVENTORY)
    return tuple(
        Subject(one.name, one.ssh.address, Expected.for_host(one, cluster), one, cluster)
        for one in cluster.only(source.names)
    )


def _local_subject(source: Source) -> Subject:
    """Judge this machine by a class, or as the one host of an inventory that --host names."""
    if not source.inventory:
        return Subject(LOCAL, "", Expected.for_class(_instance_class(source), host=LOCAL))
    found = _of_inventory(source)
    if len(found) != 1:
        raise InputError("--local with an inventory: say by --host which host this machine is")
    return Subject(found[0].name, "this machine", found[0].expected)


def _kept_subject(name: str, source: Source) -> Subject:
    if not source.inventory:
        return Subject(name, "kept facts", Expected.for_class(_instance_class(source), host=name))
    from tempo_infra.inventory import load

    cluster = load(source.inventory)
    return Subject(name, "kept facts", Expected.for_host(cluster.host(name), cluster))


def judged(
    chosen: Sequence[Subject],
    answers: Answers,
    selection: Selection,
    *,
    strict: bool,
    before: Mapping[str, EarlierSize] = MappingProxyType({}),
) -> CheckRun:
    """Judge every host that answered; `before` is how large databases were in an earlier report."""
    clocks = {name: _clock(answer) for name, answer in answers.items()}
    known = {name: clock for name, clock in clocks.items() if clock is not None}
    found = {
        one.name: judge(
            answer,
            replace(one.expected, clocks=known, earlier=before.get(one.name)),
            only=selection.only,
            skip=selection.skip,
            ignore=selection.ignore,
            phase=Phase(selection.phase),
        )
        for one in chosen
        if isinstance(answer := answers[one.name], Facts)
    }
    database = _of_database(chosen, found)
    results = tuple(_result(one, answers[one.name], found.get(one.name, ()), database) for one in chosen)
    totals = CheckRun(results, 0).totals
    return CheckRun(results, exit_code_for(totals, strict=strict))


def _clock(answer: Facts | TempoInfraError) -> HostClock | None:
    link = answer.link.value if isinstance(answer, Facts) else None
    return None if link is None else HostClock(link.offset_ms, link.uncertainty_ms)


def _of_database(chosen: Sequence[Subject], found: Mapping[str, tuple[Finding, ...]]) -> tuple[Finding, ...]:
    for one in chosen:
        if one.expected.roles is not None and Role.POSTGRESQL in one.expected.roles:
            return found.get(one.name, ())
    return ()


def _result(
    one: Subject,
    answer: Facts | TempoInfraError,
    findings: tuple[Finding, ...],
    database: tuple[Finding, ...],
) -> HostResult:
    labels = one.host.label_words if one.host is not None else ""
    if isinstance(answer, TempoInfraError):
        remedy = _remedy(one, answer)
        lines = (" ".join(line.split()) for line in plain(answer.what).splitlines())
        what = shown("; ".join(filter(None, lines)))
        return HostResult(
            one.name, one.address, one.expected.class_name, error=what, remedy=remedy, labels=labels
        )
    return HostResult(
        name=one.name,
        address=one.address,
        class_name=one.expected.class_name,
        seconds=answer.seconds,
        findings=findings,
        verdict="; ".join(
            part for part in (verdict(findings, one.expected, database), _root(answer, findings)) if part
        ),
        labels=labels,
        system=_system(answer),
    )


def _root(facts: Facts, findings: Sequence[Finding]) -> str:
    """Say what an ordinary user could not measure."""
    uid = facts.system.value.uid.value if facts.system.value else None
    if not uid:
        return ""
    kept_back = [
        one.id for one in findings if one.outcome is Outcome.UNKNOWN and _NEEDS_ROOT.search(one.note)
    ]
    names = ", ".join(dict.fromkeys(kept_back))
    return f"needed root, and this was uid {uid}: {names}" if names else ""


def _remedy(one: Subject, error: TempoInfraError) -> str:
    """`tempo-infra trust` pins hosts of an inventory; others are known to the user's own ssh."""
    if isinstance(error, HostKeyError) and one.host is not None and not one.expected.inventory:
        ssh = one.host.ssh
        return (
            f"compare it with the provider's console, then pin it: ssh -p {ssh.port} {ssh.user}@{ssh.address}"
        )
    return shown(error.remedy)


def _system(facts: Facts) -> str:
    system, kernel = facts.system.value, facts.kernel.value
    name = system.os.value if system else None
    release = kernel.release.value if kernel else None
    return f"{name or 'unknown system'}, Linux {release or 'unknown'}, taken {facts.taken_at}"


def exit_code_for(totals: Mapping[Outcome, int], *, strict: bool) -> ExitCode:
    """Count a warning only when asked for; then what is not known fails, too."""
    doubtful = totals[Outcome.WARN] or totals[Outcome.UNKNOWN]
    failed = bool(totals[Outcome.FAIL] or (strict and doubtful))
    return exit_code(failed=failed, unreachable=bool(totals[Outcome.UNKNOWN]))
