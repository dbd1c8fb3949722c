"""How check-host comes by facts: this machine, hosts over ssh, or a file of kept facts."""

from __future__ import annotations

import json
import math
import re
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import typer

from tempo_infra import __version__, trees
from tempo_infra.checks import read_facts
from tempo_infra.components import of_roles, port
from tempo_infra.deploy.responses import harmless
from tempo_infra.errors import InputError, TempoInfraError, cause
from tempo_infra.inventory.cluster import Role
from tempo_infra.inventory.subnets import used_by
from tempo_infra.on_host.facts import THOROUGH, Facts, FactsOptions, collect
from tempo_infra.on_host.probes.components import Asked
from tempo_infra.on_host.probes.network import Peer
from tempo_infra.on_host.probes.roles import RolePort
from tempo_infra.on_host.wire import read_json
from tempo_infra.topology import store
from tempo_infra.topology.instances import listening

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tempo_infra.cli.checking import Subject
    from tempo_infra.components.component import Component
    from tempo_infra.inventory.cluster import Cluster, Host

Answers = dict[str, Facts | TempoInfraError]
MAX_FILE_BYTES = 64 * 1024 * 1024
QUICK_S, USUAL_S = 5, 17  # what a host takes, connection included


@dataclass(frozen=True, slots=True)
class Remaining:
    """A line that says, each time it is drawn, how long it will take from now."""

    what: str
    until: float  # time.monotonic()

    def __rich__(self) -> str:
        left = self.until - time.monotonic()
        return f"{self.what}, about {left:.0f} s left" if left >= 1 else f"{self.what}, any moment now"


def facts_options(
    data_directory: str,
    *,
    quick: bool = False,
    with_load: bool = False,
    thorough: bool = False,
    frontend: str = "",
    workers: Sequence[str] = (),
) -> FactsOptions:
    if quick and (with_load or thorough):
        raise InputError(f"--quick and --{'thorough' if thorough else 'with-load'} exclude each other")
    if not data_directory.startswith("/"):
        raise InputError(f"--data-dir {data_directory}: not an absolute path")
    for name, text in [("--frontend", frontend), *(("--worker-metrics", one) for one in workers)]:
        if text and not re.fullmatch(r"(?:[\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}", text):
            raise InputError(f"{name} {text}: write HOST:PORT")
    return FactsOptions(
        data_directory,
        quick,
        with_load,
        __version__,
        thorough,
        frontend=frontend,
        worker_metrics=tuple(workers),
    )


def tailored(options: FactsOptions, host: Host, cluster: Cluster) -> FactsOptions:
    """Say whom a host of an inventory talks to, and which roles it should answer for."""
    roles = tuple(RolePort(one.value, port(one, "grpc"), port(one, "metrics")) for one in host.temporal_roles)
    workers = options.worker_metrics if host.has(Role.FRONTEND) else ()
    return replace(
        options,
        internal=host.internal,
        roles=roles,
        peers=(*peers(host, cluster), *others(host, cluster)),
        worker_metrics=workers,
        subnets=used_by(cluster, host),
        components=tuple(_asked(one, host, cluster) for one in _carried(host, cluster) if one.probe),
    )


def _carried(host: Host, cluster: Cluster) -> tuple[Component, ...]:
    return tuple(one.having(cluster.options) for one in of_roles(host.roles))


def _asked(component: Component, host: Host, cluster: Cluster) -> Asked:
    ports = {one.name: one.number for one in listening(cluster, component)}
    return Asked(component.name, component.probe, host.internal, ports)


def others(host: Host, cluster: Cluster) -> tuple[Peer, ...]:
    """Return the hosts that this one doesn't talk to: only how far they are is asked."""
    known = {one.host for one in peers(host, cluster)} | {host.name}
    return tuple(
        Peer(one.name, one.internal, one.ssh.port, "ssh", needed=False)
        for one in cluster.hosts
        if one.name not in known
    )


def peers(host: Host, cluster: Cluster) -> tuple[Peer, ...]:
    """Return the ports of other hosts that Temporal's services on this one connect to; the database first."""
    if not host.temporal_roles:
        return ()
    main = store(cluster)
    found = []
    if main.writer != host:
        found.append(Peer(main.at.host, main.at.address, main.at.port, main.component))
    for one in cluster.hosts:
        for role in one.temporal_roles if one is not host else ():
            found.append(Peer(one.name, one.internal, port(role, "grpc"), role.value))
            found.append(Peer(one.name, one.internal, port(role, "membership"), f"{role.value} membership"))
    return tuple(found)


def measure(chosen: Sequence[Subject], options: FactsOptions, *, sudo_password: str | None) -> Answers:
    """Return each host's facts, or the error that stood in the way; the others go on."""
    hosts = [one.host for one in chosen if one.host is not None]
    if not hosts:
        return {chosen[0].name: _read(chosen[0].name, collect(options, _say).to_json())}
    return _gather(chosen, hosts, options, sudo_password)


def kept_answers(path: Path) -> Answers:
    return {name: _read(name, value) for name, value in kept(path).items()}


def kept(path: Path) -> dict[str, Any]:
    """Return the facts of a file that --save-facts wrote, by host and not yet read."""
    try:
        found = harmless(read_json(trees.read(path, MAX_FILE_BYTES)), str)
    except FileNotFoundError as error:
        raise InputError(f"{path}: {cause(error)}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    hosts = found.get("hosts") if isinstance(found, dict) else None
    if not isinstance(hosts, dict) or not hosts:
        raise InputError(f"{path}: no facts of any host", remedy="such a file is written by --save-facts")
    return hosts


def _read(name: str, value: object) -> Facts | TempoInfraError:
    try:
        return read_facts(json.dumps(value), host=name)
    except TempoInfraError as error:
        return error


def _say(what: str) -> None:
    """Say on a terminal what takes time; a thread that turned a spinner would disturb what is measured."""
    if sys.stderr.isatty():
        typer.echo(f"  {what}", err=True)


def _gather(
    chosen: Sequence[Subject], hosts: Sequence[Host], options: FactsOptions, sudo_password: str | None
) -> Answers:
    from rich.console import Console

    from tempo_infra.deploy.facts import gather
    from tempo_infra.deploy.session import Sudo

    each = {
        one.name: tailored(options, one.host, one.cluster) if one.host and one.cluster else options
        for one in chosen
    }
    ports = {one.name: tuple(one.expected.ports) for one in chosen}
    plural = "s" if len(hosts) > 1 else ""
    line = Remaining(
        f"measuring {len(hosts)} host{plural}", time.monotonic() + expected_s(len(hosts), options)
    )
    with Console(stderr=True).status(line):
        return dict(gather(hosts, each, Sudo(sudo_password), ports))


def expected_s(hosts: int, options: FactsOptions) -> float:
    """Return how long a run will take, by what one host takes and how many are asked at once."""
    from tempo_infra.deploy.facts import AT_ONCE

    each = QUICK_S if options.quick else USUAL_S * (THOROUGH * 0.8 if options.thorough else 1)
    return each * math.ceil(hosts / AT_ONCE)


def save(answers: Mapping[str, Facts | TempoInfraError], path: Path | None) -> None:
    """Keep what was measured for --facts; InputError when the file can't be written."""
    if path is None:
        return
    hosts = {name: answer.to_json() for name, answer in answers.items() if isinstance(answer, Facts)}
    text = json.dumps({"tool_version": __version__, "hosts": hosts}, indent=1) + "\n"
    trees.write(path, text.encode(), mode=0o600)
