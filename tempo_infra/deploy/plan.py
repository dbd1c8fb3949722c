"""What a push would change on one host: a comparison of two values, without any contact."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import yaml

from tempo_infra.deploy.binding import parts
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host.probes.docker import COMPOSE_FLOOR, ENGINE_ADVISED, ENGINE_FLOOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.inventory.cluster import Host
    from tempo_infra.on_host.state import HostState
    from tempo_infra.render.bundle import Bundle

SPARE_BYTES = 512 * 1024 * 1024  # left free on the state folder's disk beside twice the payload


class Action(StrEnum):
    CREATE = "+"
    UPDATE = "~"
    DELETE = "-"


@dataclass(frozen=True, slots=True)
class Change:
    path: str  # logical: without the digest of a service's folder
    action: Action
    effect: str
    diff: str  # unified


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What would be done to a host, what speaks against it, and what to know before."""

    host: str
    digest: str
    changes: tuple[Change, ...] = ()
    restarts: tuple[str, ...] = ()  # services that run and are made anew
    starts: tuple[str, ...] = ()  # services that do not run yet
    stops: tuple[str, ...] = ()  # services that are no longer wanted
    secrets: tuple[str, ...] = ()  # names of secrets to write
    pull: tuple[str, ...] = ()  # images that are not on the host
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # each one ends the run before anything is changed
    installed: Mapping[str, str | None] = field(default_factory=dict)  # digests of owned files, as seen
    new_data: bool = False  # the data directory is empty: PostgreSQL will initialise it
    seen: str | None = None  # the generation that is current
    previous: str | None = None  # the generation that a failed change goes back to
    state: Mapping[str, str] = field(default_factory=dict)  # digests of what the plan rests on
    take_over: tuple[str, ...] = ()  # files of someone else that are overwritten, each kept aside first

    @property
    def is_noop(self) -> bool:
        return not (self.changes or self.restarts or self.starts or self.stops or self.secrets or self.notes)


def plan_host(
    host: Host,
    bundle: Bundle,
    state: HostState,
    secrets: Mapping[str, str],
    *,
    bootstrap: bool = False,
    take_over: bool = False,
) -> HostPlan:
    """Compare a host's bundle with its state. `secrets` maps "reader/name" to its keyed digest."""
    shipped = json.loads(state.manifest)["files"] if state.manifest else {}
    services = _services(bundle, state)
    unconfirmed = state.generation is not None and state.confirmed != state.generation
    return HostPlan(
        host=host.name,
        digest=bundle.digest,
        changes=_changes(bundle, state, shipped),
        restarts=services["restarts"],
        starts=services["starts"],
        stops=services["stops"],
        secrets=tuple(sorted(name for name, digest in secrets.items() if state.secrets.get(name) != digest)),
        pull=tuple(image for image in bundle.images if image not in state.images),
        notes=("the last run was not confirmed: its steps are done again",) if unconfirmed else (),
        problems=_problems(host, bundle, state, bootstrap=bootstrap)
        + (() if take_over else _conflicts(bundle, state, shipped)),
        installed=state.installed,
        new_data=host.has(Role.POSTGRESQL) and state.data_version is None,
        seen=state.generation,
        previous=state.last_good,
        state=parts(state),
        take_over=edited(bundle, state, shipped) if take_over else (),
    )


def _changes(
    bundle: Bundle, state: HostState, shipped: Mapping[str, Mapping[str, str]]
) -> tuple[Change, ...]:
    new = {file.logical: file for file in bundle.files}
    old = {_logical(path): path for path in shipped}
    changes = []
    for logical in sorted(new.keys() | old.keys()):
        file, path = new.get(logical), old.get(logical)
        before = state.texts.get(path, "") if path else ""
        if file is None:
            changes.append(Change(logical, Action.DELETE, "taken away", _diff(logical, before, "")))
        elif path is None:
            changes.append(
                Change(logical, Action.CREATE, file.effect, _diff(logical, "", file.content.decode()))
            )
        elif shipped[path]["sha256"] != file.sha256:
            changes.append(
                Change(logical, Action.UPDATE, file.effect, _diff(logical, before, file.content.decode()))
            )
        elif logical.startswith("etc/") and state.installed.get(path) != file.sha256:
            found = state.edited[path].found if path in state.edited else ""
            action = Action.UPDATE if found else Action.CREATE
            changes.append(Change(logical, action, file.effect, _diff(logical, found, file.content.decode())))
    return tuple(changes)


def _logical(path: str) -> str:
    return re.sub(r"^services/(.*)-[0-9a-f]{12}/", r"services/\1/", path)


def _diff(path: str, old: str, new: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"old/{path}", f"new/{path}", n=2
    )
    return "".join(lines)


def _services(bundle: Bundle, state: HostState) -> dict[str, tuple[str, ...]]:
    """Sort services by what happens to them: compose recreates one exactly when its own entry differs."""
    new = _compose(bundle.file("docker-compose.yml").content.decode())
    old_text = state.texts.get("docker-compose.yml")
    old = _compose(old_text) if old_text else new if state.manifest else {}
    running = {container.service for container in state.containers if container.running}
    kept = [service.name for service in bundle.services if not service.job]
    return {
        "restarts": tuple(name for name in kept if name in running and new[name] != old.get(name)),
        "starts": tuple(name for name in kept if name not in running),
        "stops": tuple(sorted({container.service for container in state.containers} - set(kept))),
    }


def _compose(text: str) -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


def _problems(host: Host, bundle: Bundle, state: HostState, *, bootstrap: bool) -> tuple[str, ...]:
    return (
        *([state.open_run] if state.open_run else []),
        *_machine_problems(host, bundle, state),
        *_docker_problems(state, bootstrap=bootstrap),
        *_data_problems(host, bundle, state),
        *_fixed_problems(bundle, state),
    )


def _machine_problems(host: Host, bundle: Bundle, state: HostState) -> list[str]:
    problems = []
    if not state.service_manager:
        problems.append("no systemd: a host without it can't be put back after a lost connection")
    if host.internal not in state.addresses:
        seen = ", ".join(address for address in state.addresses if not address.startswith("127.")) or "none"
        problems.append(f"internal address {host.internal} is not up on this host (it has: {seen})")
    needed = 2 * sum(len(file.content) for file in bundle.files) + SPARE_BYTES
    if state.state_free_bytes < needed:
        mib = needed // 2**20
        problems.append(
            f"/var/lib/tempo-infra needs {mib} MiB, {state.state_free_bytes // 2**20} MiB are free"
        )
    if 0 < state.state_free_inodes < 2 * len(bundle.files) + 1000:
        problems.append(f"/var/lib/tempo-infra has only {state.state_free_inodes} inodes left")
    return problems


def _docker_problems(state: HostState, *, bootstrap: bool) -> list[str]:
    docker = state.docker
    if docker.engine is None:
        if docker.problem == "not installed" and bootstrap:
            return []
        remedy = "; --bootstrap installs the distribution's own" if docker.problem == "not installed" else ""
        return [f"Docker: {docker.problem}{remedy}"]
    if _version(docker.engine) < ENGINE_FLOOR:
        return [f"Docker engine {docker.engine} is too old: 24 is the oldest that works"]
    if docker.compose is None or _version(docker.compose) < COMPOSE_FLOOR:
        found = docker.compose or "no `docker compose`"
        return [
            f"{found} on {state.os_id}: compose 2.20 is the oldest that works; install docker-compose-plugin"
        ]
    return []


def edited(bundle: Bundle, state: HostState, shipped: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Owned files that someone else wrote or edited: neither what we shipped last nor what we want now."""
    wanted = {file.path: file.sha256 for file in bundle.files}
    return tuple(
        path
        for path, found in state.installed.items()
        if found is not None and found not in (wanted.get(path), shipped.get(path, {}).get("sha256"))
    )


def _conflicts(bundle: Bundle, state: HostState, shipped: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(
        f"/{path} was changed on the host since the last push; "
        "put the change into templates/ or move it away (--take-over writes over it and keeps it aside)"
        for path in edited(bundle, state, shipped)
    )


def _data_problems(host: Host, bundle: Bundle, state: HostState) -> list[str]:
    if not host.has(Role.POSTGRESQL):
        return []
    major = (
        next(s.image for s in bundle.services if s.name == "postgresql")
        .rpartition("/")[2]
        .split(":")[1]
        .split("@")[0]
    )
    if state.data_version is None:
        had = any(container.service == "postgresql" for container in state.containers)
        return (
            ["/srv/tempo/postgres is empty, but PostgreSQL has run here: is its volume mounted?"]
            if had
            else []
        )
    if state.data_version != major.split(".")[0].split("-")[0]:
        return [
            f"the data directory is PostgreSQL {state.data_version}'s, the image is {major}: it can't start"
        ]
    return []


SHARDS = re.compile(r"^\s*numHistoryShards: *(\d+)", re.MULTILINE)


def _fixed_problems(bundle: Bundle, state: HostState) -> list[str]:
    """Refuse another shard count once the cluster has started: Temporal would ignore it in silence."""
    old = {found[1] for path, text in state.texts.items() if (found := SHARDS.search(text))}
    new = {
        found[1]
        for file in bundle.files
        if file.path.endswith("server.yaml") and (found := SHARDS.search(file.content.decode()))
    }
    if not old or old == new:
        return []
    was, wanted = ", ".join(sorted(old)), ", ".join(sorted(new))
    return [f"temporal.shards is fixed at first start: the cluster has {was}, the inventory says {wanted}"]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def warnings(state: HostState) -> list[str]:
    """Return what is worth knowing about a host without standing in the way."""
    found = []
    if state.docker.engine and _version(state.docker.engine) < ENGINE_ADVISED:
        found.append(
            f"Docker engine {state.docker.engine}: before 28, ports published on one address can be reached "
            "from the same network segment by another"
        )
    return found
