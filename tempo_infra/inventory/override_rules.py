"""The rules about overrides: they read the tree, so that all that is wrong is said at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.inventory import dynamic_config, parameters, validators
from tempo_infra.inventory.cluster import TEMPORAL_ROLES, Role
from tempo_infra.inventory.document import Mapping, Scalar, Sequence, descend, mark_of
from tempo_infra.inventory.overrides import SECTIONS, Known, text_of, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.inventory.cluster import Value
    from tempo_infra.inventory.document import Node
    from tempo_infra.inventory.problems import Loc

    Found = Iterator[tuple[Loc, str]]


def values(root: Node, wrong: frozenset[Loc]) -> Found:
    """Judge each value by itself."""
    known = _known(root)
    for loc, _ in _places(root):
        for section in SECTIONS:
            for name, value in _values(root, (*loc, section)):
                place = (*loc, section, name)
                if place not in wrong:
                    yield from ((place, what) for what in why_not(known, section, name, value))


def names_once(root: Node, _wrong: frozenset[Loc]) -> Found:
    """Refuse one setting under two spellings: both servers take capitals for small letters."""
    for loc, _ in _places(root):
        for section in SECTIONS:
            seen: dict[str, Loc] = {}
            for name, _value in _values(root, (*loc, section)):
                place = (*loc, section, name)
                first = seen.setdefault(name.casefold(), place)
                if first != place:
                    yield place, f"is {first[-1]}, which is here already (line {mark_of(root, first).line})"


def of_what_runs(root: Node, wrong: frozenset[Loc]) -> Found:
    """Refuse on a host what nothing there reads."""
    version = _known(root).temporal
    for loc, host in _places(root):
        if not host or any(one[:3] == ("hosts", host, "roles") for one in wrong):
            continue
        roles = _words(root, "hosts", host, "roles")
        if not roles & set(TEMPORAL_ROLES) and _values(root, (*loc, "temporal")):
            yield (*loc, "temporal"), f"{host} runs no Temporal service"
        elif version:
            yield from _unread(root, loc, host, roles, version)
        if Role.POSTGRESQL not in roles and _values(root, (*loc, "postgresql")):
            yield (*loc, "postgresql"), f"{host} has no role postgresql"
        for role, _value in _values(root, (*loc, "pools")):
            if role in validators.POOL_ROLES and role not in roles:
                yield (*loc, "pools", role), f"{host} has no role {role}"
        for name, _value in _values(root, (*loc, "memory")):
            if name in validators.CONTAINERS and name not in {one.name for one in components.of_roles(roles)}:
                yield (*loc, "memory", name), f"{host} runs no {name}"


def _unread(root: Node, loc: Loc, host: str, roles: frozenset[str], version: str) -> Found:
    for name, _value in _values(root, (*loc, "temporal")):
        key = dynamic_config.keys(version).get(name.casefold())
        if key and key.readers and not key.readers & roles:
            readers = " and ".join(sorted(key.readers))
            yield (*loc, "temporal", name), f"has no effect: {host} runs nothing that reads it ({readers})"


def _places(root: Node) -> Iterator[tuple[Loc, str]]:
    """Yield where overrides stand, and the host that they are for; "" for all."""
    yield ("overrides",), ""
    hosts = descend(root, ("hosts",))
    for name in hosts.entries if isinstance(hosts, Mapping) else ():
        yield ("hosts", name, "overrides"), name


def _values(root: Node, loc: Loc) -> list[tuple[str, Value]]:
    node = descend(root, loc)
    found = node.entries.items() if isinstance(node, Mapping) else ()
    return [
        (name, entry.node.value)
        for name, entry in found
        if isinstance(entry.node, Scalar) and isinstance(entry.node.value, str | int | float)
    ]


def _known(root: Node) -> Known:
    """Return what values are judged by; a version that is missing or wrong is said elsewhere."""
    postgresql, temporal = _text(root, "postgres", "version"), _text(root, "temporal", "version")
    loaded = [
        text_of(value)
        for loc, _ in _places(root)
        for name, value in _values(root, (*loc, "postgresql"))
        if name.casefold() in parameters.LOADING
    ]
    return Known(
        postgresql if postgresql in validators.POSTGRES_VERSIONS else "",
        temporal if re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4}){2}", temporal) else "",
        _words(root, "accept"),
        parameters.libraries_in(loaded),
    )


def _text(root: Node, *loc: str) -> str:
    node = descend(root, loc)
    return node.text if isinstance(node, Scalar) else ""


def _words(root: Node, *loc: str) -> frozenset[str]:
    node = descend(root, loc)
    items = node.items if isinstance(node, Sequence) else ()
    return frozenset(item.text for item in items if isinstance(item, Scalar))
