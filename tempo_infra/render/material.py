"""What is secret on a host: who reads which, where it lies there, and its digest. No value comes here."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from tempo_infra import components
from tempo_infra.components.component import DB_PASSWORD, LOGIN
from tempo_infra.on_host.manifest import Material, reloaded_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tempo_infra.components.component import Component, Reads
    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.on_host.users import Users

DIGITS = 12  # of a folder's digest, as services' folders have


class Known(NamedTuple):
    """What may be known of a secret by who has opened the file."""

    digest: str  # keyed
    not_after: str = ""  # of a certificate


NOTHING: Mapping[str, Known] = {}  # of a render without the file


@dataclass(frozen=True, slots=True)
class Placed:
    """The material of one host, by path below its folder of secrets, and as whom its containers read it."""

    users: Users
    material: Mapping[str, Material] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)  # path -> its name in the secrets file
    folders: Mapping[str, str] = field(default_factory=dict)  # component -> folder of what it reads once


def wanted(cluster: Cluster) -> tuple[str, ...]:
    """Return the names of the secrets that hosts get: the login in use and no other, and components' own."""
    own = (
        piece.secret(host.name)
        for host in cluster.hosts
        for one in components.of_roles(host.roles)
        for piece in one.having(cluster.options).own_material
    )
    return tuple(dict.fromkeys((cluster.secrets.login.secret, *own)))


def placed(
    cluster: Cluster, host: str, names: Iterable[str], users: Users, known: Mapping[str, Known]
) -> Placed:
    """Place what these components read on a host. What is not known has no digest, nor has its folder."""
    material: dict[str, Material] = {}
    secrets: dict[str, str] = {}
    folders: dict[str, str] = {}
    login = cluster.secrets.login
    for component in (components.of(name).having(cluster.options) for name in names):
        uid = int(getattr(users, component.user))
        if LOGIN in component.reads:
            digest = known.get(login.secret, Known("")).digest
            one = Material(DB_PASSWORD, login.reader, uid, digest)
            material[one.label], secrets[one.label] = one, login.secret
        for reloaded in (False, True):
            pieces = [one for one in component.own_material if one.reloaded is reloaded]
            made = [_material(one, component, host, uid, known) for one in pieces]
            folder = _folder(reloaded_folder(component.name) if reloaded else component.name, made)
            folders |= {component.name: folder} if made and not reloaded else {}
            for piece, one in zip(pieces, made, strict=True):
                material[f"{folder}/{one.name}"] = one
                secrets[f"{folder}/{one.name}"] = piece.secret(host)
    return Placed(users, material, secrets, folders)


def _material(
    piece: Reads, component: Component, host: str, uid: int, known: Mapping[str, Known]
) -> Material:
    digest, not_after = known.get(piece.secret(host), Known(""))
    return Material(
        piece.name, component.name, uid, digest, piece.scope, piece.reloaded, piece.signal, not_after
    )


def _folder(name: str, made: list[Material]) -> str:
    """Return the name of a folder by what lies in it."""
    if not made or not all(one.digest for one in made):
        return name
    content = "".join(f"{one.name} {one.digest}\n" for one in sorted(made, key=lambda one: one.name))
    return f"{name}-{sha256(content.encode()).hexdigest()[:DIGITS]}"


def moves(
    old: Mapping[str, Material], new: Mapping[str, Material]
) -> Iterator[tuple[Material, Material | None]]:
    """Yield what another generation has with another content, and what this one had instead, if it had it."""
    had = {one.label: one for one in old.values()}
    for one in new.values():
        was = had.get(one.label)
        if was is None or was.digest != one.digest:
            yield one, was
