"""The Docker engine and its Compose plugin: new enough for what the compose files use."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tempo_infra.checks.check import check
from tempo_infra.checks.finding import (
    Finding,
    Outcome,
    Severity,
    follow,
    judged,
    noting,
    one_of,
    skipped,
    unread,
)
from tempo_infra.on_host.engine import ADVISED, COMPOSE_FLOOR, FLOOR
from tempo_infra.on_host.probes.docker import at_version

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.docker import Cgroups, Kind

RULES = (
    'take "iptables": false out of /etc/docker/daemon.json and restart docker, or use network: host: without '
    "rules containers do not reach other hosts, and PostgreSQL takes everybody for a neighbour"
)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _at_least(found: str, floor: tuple[int, ...], advised: tuple[int, ...]) -> Finding:
    version = at_version(found)
    passes, tolerated = version >= advised, version >= floor
    outcome = Outcome.PASS if passes else Outcome.WARN if tolerated else Outcome.FAIL
    return Finding(outcome=outcome, found=found, wanted=f"≥ {_dotted(advised if tolerated else floor)}")


@check(
    "docker.engine",
    "the Docker engine answers",
    severity=Severity.CRITICAL,
    wants="an answer within 8 s, where an engine is installed",
    remedy="systemctl status docker; journalctl -u docker -n 50. Its restart restarts containers, unless "
    "live-restore is on",
    source="https://docs.docker.com/engine/daemon/troubleshoot/",
)
def answers(facts: Facts, expected: Expected) -> Finding:
    del expected
    reading = follow(facts.docker, lambda part: part.engine)
    root = follow(facts.system, lambda part: part.uid).value == 0
    asked = facts.docker.value is not None and not reading.not_wanted
    if reading.value is None and asked and root:
        kind = follow(facts.docker, lambda part: part.kind).value
        remedy = kind.unfit[0].remedy if kind is not None and kind.unfit else ""
        note = reading.unread
        return Finding(outcome=Outcome.FAIL, found="no answer", wanted="an answer", note=note, remedy=remedy)
    return judged(reading, lambda _version: Finding(outcome=Outcome.PASS, found="answers"), "an answer")


@check(
    "docker.kind",
    "the engine is Docker, as containers of PostgreSQL and Temporal need it",
    severity=Severity.CRITICAL,
    wants="the system's own Docker: no snap or Podman, not rootless, without userns-remap, with the "
    "firewall's rules",
    remedy="install docker.io or docker-ce in its place",
    source="https://docs.docker.com/engine/install/",
)
def kind(facts: Facts, expected: Expected) -> Finding:
    def judge(found: Kind) -> Finding:
        if not found.answers:
            return skipped("no engine answers")
        if found.unfit:
            return Finding(outcome=Outcome.FAIL, found=found.unfit[0].what, remedy=found.unfit[0].remedy)
        if not found.filters and not expected.shares_network:
            return Finding(outcome=Outcome.FAIL, found="no rules of the firewall", remedy=RULES)
        return Finding(outcome=Outcome.PASS, found="Docker")

    return judged(follow(facts.docker, lambda part: part.kind), judge)


@check(
    "docker.version",
    "the Docker engine is new enough",
    severity=Severity.MAJOR,
    wants=f"at least {_dotted(ADVISED)}; below {_dotted(FLOOR)} it fails",
    remedy="upgrade the engine by its own package source; tempo-infra never replaces one that is there",
    source="https://docs.docker.com/engine/release-notes/",
)
def engine(facts: Facts, expected: Expected) -> Finding:
    del expected
    reading = follow(facts.docker, lambda part: part.engine)
    return judged(reading, lambda found: _at_least(found, FLOOR, ADVISED))


@check(
    "compose.version",
    "the Compose plugin is new enough",
    severity=Severity.MAJOR,
    wants=f"at least {_dotted(COMPOSE_FLOOR)}; an engine without the plugin fails",
    remedy="install the plugin: docker-compose-v2 on Ubuntu, docker-compose on Debian 13, "
    "docker-compose-plugin from docker.com elsewhere",
    source="https://docs.docker.com/compose/install/linux/",
)
def compose(facts: Facts, expected: Expected) -> Finding:
    del expected
    reading = follow(facts.docker, lambda part: part.compose)
    engine_runs = follow(facts.docker, lambda part: part.engine).value is not None
    if reading.value is None and reading.not_wanted and engine_runs:
        found = unread(reading, f"≥ {_dotted(COMPOSE_FLOOR)}")
        return Finding(outcome=Outcome.FAIL, found="no Compose v2", wanted=found.wanted, note=found.note)
    return judged(reading, lambda found: _at_least(found, COMPOSE_FLOOR, COMPOSE_FLOOR))


@check(
    "containerd.version",
    "which containerd runs the containers",
    severity=Severity.ADVICE,
    wants="nothing: from 2.0 on it sets no limit of open files by itself, which explains nofile.runtime",
    remedy="nothing to do",
    source="https://github.com/containerd/containerd/pull/8924",
)
def containerd(facts: Facts, expected: Expected) -> Finding:
    del expected
    reading = follow(facts.docker, lambda part: part.containerd)
    return judged(reading, lambda found: Finding(outcome=Outcome.PASS, found=found))


@check(
    "docker.cgroup",
    "containers' memory and CPU are limited by control groups of version 2",
    severity=Severity.ADVICE,
    wants="version 2 with the systemd driver",
    remedy="boot with systemd.unified_cgroup_hierarchy=1; Debian 11 and Ubuntu 22.04 do so by themselves",
    source="https://docs.docker.com/engine/containers/runmetrics/#control-groups",
)
def cgroup(facts: Facts, expected: Expected) -> Finding:
    del expected

    def judge(told: Cgroups) -> Finding:
        found = one_of(f"version {told.version}, {told.driver} driver", ("version 2, systemd driver",))
        return noting(found, "", **asdict(told))

    return judged(follow(facts.docker, lambda part: part.cgroups), judge)
