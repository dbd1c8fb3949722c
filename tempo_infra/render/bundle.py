"""A bundle: all the files of one host, their digests, and what a change of each one does there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tempo_infra.on_host.kernel_files import FOLDERS, values_in
from tempo_infra.on_host.manifest import Entry, Manifest
from tempo_infra.on_host.users import OWN, Users

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tempo_infra.on_host.manifest import Instance, Material

STATE = "/var/lib/tempo-infra"  # on the host; its layout is in docs/explanation


def logical(path: str) -> str:
    """Return a path without the digest in a service's folder."""
    parts = path.split("/")
    if parts[0] == "services" and len(parts) > 1:
        parts[1] = parts[1].rpartition("-")[0]
    return "/".join(parts)


@dataclass(frozen=True, slots=True)
class File:
    """One rendered file.

    `path` is relative to the host's tree: `docker-compose.yml` and `manifest.json` lie in the generation,
    `services/<name>-<digest>/…` in the state folder, `etc/…` is installed under `/etc`.
    """

    path: str
    content: bytes
    mode: int  # 0o644
    uid: int  # owner on the host; the group is the same number
    effect: str  # what its change does: "restarts history", "applied by sysctl", "new logins"
    live: bool = False  # its service reloads it: it is written into the folder of the running service

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def logical(self) -> str:
        """The path without the digest of a service's folder, so that two generations can be compared."""
        return logical(self.path)


@dataclass(frozen=True, slots=True)
class OwnTemplate:
    """A template of the operator's that made a file."""

    name: str  # "docker-compose.yml.j2"
    beyond: tuple[str, ...] = ()  # what it renders beyond the inventory's meaning, and was accepted
    accepted: str = ""  # the risks that were taken for it: "own-access, commands-and-exports"


@dataclass(frozen=True, slots=True)
class OwnUse:
    """Where a template of the operator's was used, and what came of it there."""

    template: str
    hosts: tuple[str, ...]
    beyond: tuple[str, ...]
    accepted: str = ""

    @property
    def line(self) -> str:
        return f"own template {self.template} on {', '.join(self.hosts)}"

    @property
    def risk(self) -> str:
        """What is accepted with it; "" for nothing."""
        told = "; ".join(self.beyond)
        return f"{self.accepted}: more than the inventory means, by the {self.line}: {told}" if told else ""


def own_used(bundles: Iterable[Bundle]) -> tuple[OwnUse, ...]:
    """Return each of the operator's templates with the hosts whose files it made, sorted by name."""
    found: dict[str, dict[str, OwnTemplate]] = {}
    for bundle in bundles:
        for own in bundle.own:
            found.setdefault(own.name, {})[bundle.host] = own
    return tuple(
        OwnUse(
            name,
            tuple(at),
            tuple(dict.fromkeys(one for own in at.values() for one in own.beyond)),
            ", ".join(dict.fromkeys(one for own in at.values() for one in own.accepted.split(", ") if one)),
        )
        for name, at in sorted(found.items())
    )


@dataclass(frozen=True)
class Bundle:
    """All the files of one host, sorted by path."""

    host: str
    files: tuple[File, ...]
    instances: Mapping[str, Instance]  # the containers, by name
    own: tuple[OwnTemplate, ...] = ()  # that were used, sorted by name
    cluster: str = ""  # the inventory's name for it
    users: Users = OWN  # whom its containers run as
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # name -> pinned IPv4 subnets
    material: Mapping[str, Material] = field(default_factory=dict)  # by path below the host's secrets
    secrets: Mapping[str, str] = field(
        default_factory=dict
    )  # path of material -> its name in the secrets file

    @cached_property
    def manifest(self) -> Manifest:
        """What the host is told of it; its text's hash is the digest of the bundle."""
        kernel = [one.content.decode() for one in self.files if one.path.startswith(FOLDERS)]
        return Manifest(
            host=self.host,
            cluster=self.cluster,
            users=self.users,
            files={
                one.path: Entry(one.sha256, one.mode, one.uid, one.effect, one.live) for one in self.files
            },
            instances=self.instances,
            material=self.material,
            networks=self.networks,
            kernel=values_in(kernel),
        )

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.manifest.text).hexdigest()

    @property
    def images(self) -> tuple[str, ...]:
        return tuple(sorted({one.image for one in self.instances.values()}))

    def file(self, path: str) -> File:
        return next(file for file in self.files if file.path == path)
