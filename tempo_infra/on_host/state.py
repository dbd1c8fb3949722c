"""What a host is like before a change: read-only, in one answer, for the plan to compare with."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.on_host import (
    accounts,
    condition,
    contents,
    data_folder,
    engine,
    identity,
    live,
    manifest,
    material,
    ownership,
    ports,
    preflight,
    ring,
    subnets,
    which_engine,
)
from tempo_infra.on_host import armed as guard
from tempo_infra.on_host.accounts import Accounts
from tempo_infra.on_host.bootstrap import os_id
from tempo_infra.on_host.changed import Changes, read_changes
from tempo_infra.on_host.cluster_record import ClusterRecord, latest
from tempo_infra.on_host.compose_version import compose_version, configs
from tempo_infra.on_host.condition import Container  # noqa: TC001 - readers of HostState need the type
from tempo_infra.on_host.engine_here import Unfit  # noqa: TC001 - readers of HostState need the type
from tempo_infra.on_host.journal import confirmed, in_force, last_good, restarts
from tempo_infra.on_host.leftovers import find
from tempo_infra.on_host.network_addresses import addresses
from tempo_infra.on_host.origin import Origin
from tempo_infra.on_host.origin import read as read_origin
from tempo_infra.on_host.ownership import CONTENT, Wrong
from tempo_infra.on_host.probes.reading import Unread
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.users import OWN, Users, here

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.on_host.health import Health
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.manifest import Entry
    from tempo_infra.on_host.steps import reading

ASK_S = 45.0  # of the engine, on a host that may be small and busy
MAX_TEXT = 256 * 1024  # characters of a file that are shown; what differs beyond is told by its digest
MOST_WRONG = 200
DATABASE_FILES = "services/postgresql-"
MAX_TEXTS = 512 * 1024  # of all files together: as JSON six bytes each, in an answer of 4 MiB


@dataclass(frozen=True)
class Docker:
    engine: str | None  # "26.1.5", None when there is none or it does not answer
    compose: str | None
    unfit: list[Unfit] = field(default_factory=list)  # empty without an engine: there is none on the host
    filters: bool = True  # the engine makes the firewall's rules


@dataclass(frozen=True)
class Edited:
    """An owned file as it was shipped and as it was found; empty: there is none, or none was shipped."""

    shipped: str
    found: str


@dataclass(frozen=True)
class Brought:
    """Images that are brought here: of the wanted generation, and of the current one."""

    nameless: list[str] = field(default_factory=list)  # the content is here, the name is not
    others: list[str] = field(default_factory=list)  # the name is here, with another content
    gone: dict[str, str] = field(default_factory=dict)  # of the current generation -> content that it had


@dataclass(frozen=True)
class HostState:
    """The host as the plan sees it. Digests are hex sha256; None means: no such file."""

    hostname: str
    boot_id: str
    os_id: str  # "debian-13"
    python: str
    service_manager: bool
    docker: Docker
    generation: str | None  # what `current` points to
    confirmed: str | None  # the last generation that was confirmed, if no change began after it
    manifest: str  # of the current generation; empty when there is none
    installed: dict[str, str | None]  # owned file -> digest of what lies under /etc
    texts: dict[str, str]  # files of the current generation that differ from the wanted ones
    secrets: dict[str, str | None]  # "echo-3f2a…/echo_token" -> keyed digest
    containers: list[Container]
    addresses: list[str]
    state_free_bytes: int
    state_free_inodes: int | None  # None: the file system counts none
    data_version: str | None  # PG_VERSION of the data directory
    images: list[str] = field(default_factory=list)  # wanted images that are on the host
    image_ids: dict[str, str] = field(default_factory=dict)  # of each of them, the content that it names now
    brought: Brought = field(default_factory=Brought)  # images that the operator brings
    configs: dict[str, str] = field(default_factory=dict)  # service -> what compose makes of the wanted file
    configs_now: dict[str, str] = field(default_factory=dict)  # likewise, of the current generation's file
    last_good: str | None = None  # the generation that a failed change goes back to
    edited: dict[str, Edited] = field(default_factory=dict)  # owned files that differ from what was shipped
    tampered: dict[str, str] = field(
        default_factory=dict
    )  # files of the generation itself -> as they are now
    wrong: list[Wrong] = field(default_factory=list)  # paths of ours with another owner, mode or kind
    leftovers: int = 0  # files that a run left half written when it was cut off
    open_run: str = ""  # a run that the host has not decided about yet, in words
    system_identifier: str | None = None  # of the data directory; None: there is no database in it
    pinned: identity.Pin | None = None  # the database that has been here since the first provision
    data_others: list[str] = field(default_factory=list)  # what lies in a data folder without a database
    data_free_bytes: int | None = None  # on the database's own file system
    data_problem: str = ""  # why nobody may trust the data folder, or that its disk does not answer
    live: live.Live = field(default_factory=live.Live)  # what the running database says
    taken: dict[str, str] = field(default_factory=dict)  # address:port that is wanted -> who listens there
    read_only: list[str] = field(default_factory=list)  # our folders on a file system mounted read-only
    users: Users = OWN  # whom containers run as on this host, by what is there
    accounts: Accounts = field(default_factory=Accounts)  # who else has one of those numbers there
    changes: Changes = field(default_factory=Changes)  # who made it what it is
    origin: Origin | None = None  # the secrets file that was confirmed here last
    subnets: subnets.Subnets = field(default_factory=subnets.Subnets)  # of containers, and who else has them
    ring: list[str] = field(
        default_factory=list
    )  # Temporal's, as its frontend here sees it; empty: not asked
    restarts: dict[str, list[float]] = field(default_factory=dict)  # service -> seconds away, earlier times
    record: ClusterRecord | None = None  # the cluster as the last run left it


def read_state(layout: Layout, args: reading.State) -> HostState:
    """Read everything that the plan needs; nothing is changed.

    An engine that does not answer is asked nothing more: each question would take its whole deadline.
    """
    text, shown = _text(layout.current / manifest.NAME), _Shown()
    provisioned = manifest.parse(text) if text else manifest.NONE
    shipped = provisioned.files
    armed = guard.read(layout)
    owned = {path for path in (*args.wanted, *shipped) if path.startswith("etc/")}
    data = data_folder.look_or_why(layout)
    docker = _docker(layout)
    listening = ports.taken(args.bindings)
    questions = provisioned.questions(args.host) if args.host else {}
    answers = docker.engine is not None and not docker.unfit
    containers = _containers(listening, questions) if answers else []
    images, brought = _images(args, provisioned.contents) if answers else ({}, Brought())
    made = configs(layout, args.compose) if docker.compose else {}
    current = _text(layout.compose_file)
    ours = {container.id for container in containers}
    usage = os.statvfs(data_folder.nearest(layout.state))
    users = here(provisioned.users, data.owner)
    reads = accounts.readers(users, database=any(path.startswith(DATABASE_FILES) for path in args.wanted))
    return HostState(
        hostname=socket.gethostname(),
        boot_id=_text(layout.root / "proc/sys/kernel/random/boot_id").strip(),
        os_id=os_id(_text(Path("/etc/os-release"))),
        python=sys.version.split()[0],
        service_manager=Path("/run/systemd/system").is_dir(),
        docker=docker,
        generation=in_force(layout),
        confirmed=confirmed(layout),
        manifest=text,
        installed={path: _digest(layout.installed(path)) for path in sorted(owned)},
        texts=_texts(layout, args.wanted, shipped, shown),
        secrets={one: material.found(layout, bytes.fromhex(args.key), one) for one in args.material},
        containers=containers,
        addresses=addresses(),
        state_free_bytes=usage.f_bavail * usage.f_frsize,
        state_free_inodes=usage.f_favail if usage.f_files else None,
        data_version=data.version,
        images=list(images),
        image_ids=images,
        brought=brought,
        configs=made,
        configs_now=made if current == args.compose else configs(layout, current) if docker.compose else {},
        last_good=last_good(layout),
        edited=_edited(layout, owned, args.wanted, shipped, shown),
        tampered=_tampered(layout, shipped, shown),
        wrong=_wrong(layout, provisioned) if shipped else [],
        leftovers=len(find(layout)),
        open_run=guard.not_over(armed) if armed is not None and armed.phase in guard.OPEN else "",
        system_identifier=data.number,
        pinned=identity.pinned(layout),
        data_others=data.others,
        data_problem=data.problem,
        data_free_bytes=data.free_bytes,
        live=_live(containers),
        ring=_ring(containers, questions),
        taken={one: who.name for one, who in listening.items() if who.container not in ours},
        read_only=sorted({*preflight.read_only(layout), *([data.read_only] if data.read_only else [])}),
        subnets=subnets.asked(args.subnets, deadline_s=ASK_S, has_engine=answers),
        restarts=restarts(layout),
        users=users,
        accounts=accounts.look(reads, reads),
        origin=read_origin(layout),
        changes=read_changes(layout, args.wanted),
        record=latest(layout),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


class _Shown:
    """How much of files is shown, so that the answer stays one that the operator's side takes."""

    def __init__(self) -> None:
        self._left = MAX_TEXTS

    def text(self, path: Path) -> str:
        found = _text(path)[: min(MAX_TEXT, self._left)]
        self._left -= len(found)
        return found


def _texts(
    layout: Layout, wanted: dict[str, str], shipped: Mapping[str, Entry], shown: _Shown
) -> dict[str, str]:
    texts = {}
    for path, entry in shipped.items():
        if wanted.get(path) != entry.sha256:
            texts[path] = shown.text(ownership.where(layout, path, layout.current))
    return texts


def _edited(
    layout: Layout,
    owned: set[str],
    wanted: dict[str, str],
    shipped: Mapping[str, Entry],
    shown: _Shown,
) -> dict[str, Edited]:
    found = {}
    for path in sorted(owned):
        digest, entry = _digest(layout.installed(path)), shipped.get(path)
        was = entry.sha256 if entry else None
        if digest != was and (entry or digest not in (None, wanted.get(path))):
            before = shown.text(layout.current / path) if entry else ""
            found[path] = Edited(before, shown.text(layout.installed(path)))
    return found


def _tampered(layout: Layout, shipped: Mapping[str, Entry], shown: _Shown) -> dict[str, str]:
    """Files that containers read, or that compose does: named by their content, and yet changed in place."""
    found = {}
    for path, entry in shipped.items():
        place = ownership.where(layout, path, layout.current)
        if _digest(place) != entry.sha256:
            found[path] = shown.text(place)
    return found


def _wrong(layout: Layout, made: manifest.Manifest) -> list[Wrong]:
    wanted = ownership.of_generation(layout, made.files, layout.current.resolve())
    secrets = ownership.of_secrets(layout, *material.owners(layout, made))
    altered = (
        Wrong(str(path), "another content", "that of its generation", CONTENT)
        for path, right, there in material.compared(layout, layout.current.resolve(), made)
        if there and not right
    )
    return [*ownership.wrong(layout, [*wanted, *secrets]), *altered][:MOST_WRONG]


def _docker(layout: Layout) -> Docker:
    found = which_engine.find(deadline_s=ASK_S, root=layout.root)
    compose = None if found.version is None or found.unfit else compose_version(layout)
    return Docker(found.version, compose, found.unfit, found.filters)


def _live(containers: list[Container]) -> live.Live:
    """Return what the database among them says."""
    database = next((one.id for one in containers if one.service == "postgresql" and one.running), None)
    return live.read(database) if database else live.Live()


def _ring(containers: list[Container], questions: "Mapping[str, Health]") -> list[str]:
    """Return the ring's members; none where no frontend of this host answers."""
    frontend = questions.get("frontend")
    if frontend is None or not any(one.service == "frontend" and one.running for one in containers):
        return []
    try:
        return ring.read(frontend.host, frontend.port)
    except (OSError, Unread):
        return []


def _containers(listening: "dict[str, ports.Holder]", questions: "Mapping[str, Health]") -> list[Container]:
    """Return our containers; one on the host's own network publishes nothing, and listens by itself."""
    try:
        found = condition.ours(questions, deadline_s=ASK_S)
    except StepError:
        return []
    return [
        replace(one, ports=one.ports or [at for at, who in listening.items() if who.container == one.id])
        for one in found
    ]


def _images(args: reading.State, had: "Mapping[str, str]") -> "tuple[dict[str, str], Brought]":
    """Return the wanted images that are here, with the content that each names; what is with brought ones.

    A brought image is here when it is proved to be what it is wanted for. `had`: of the current generation.
    """
    wanted = {**had, **args.contents}
    try:
        found = {name: engine.image(name, deadline_s=ASK_S) for name in {*args.images, *had}}
        proved = {
            name: content in contents.configurations(image)
            for name, content in wanted.items()
            if (image := found.get(name)) is not None
        }
        missing = [name for name in sorted(wanted) if name not in proved]
        nameless = [name for name in missing if engine.has_image(wanted[name], deadline_s=ASK_S)]
    except StepError:
        return {}, Brought()
    ids = {name: str(one["Id"]) for name in args.images if (one := found[name]) and proved.get(name, True)}
    gone = {name: had[name] for name in missing if name in had and name not in nameless}
    return ids, Brought(nameless, sorted(name for name, right in proved.items() if not right), gone)
