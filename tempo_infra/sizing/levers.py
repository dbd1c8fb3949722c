"""What could be changed to satisfy a budget: for each lever, ladders of changes from the smallest on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from tempo_infra.inventory import dynamic_config, parameters
from tempo_infra.inventory.overrides import canonical, text_of
from tempo_infra.sizing.overrides import effective
from tempo_infra.sizing.settings import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tempo_infra.inventory.cluster import Cluster, Host, Overrides, Value
    from tempo_infra.inventory.problems import Loc
    from tempo_infra.sizing.overrides import Section

FAR = 1 << 16  # steps up; beyond, a person should look
MOST_NOFILE = 1 << 20
PLAIN_STEPS: Mapping[str, int] = {"max_connections": 10}
KNOWN_VERSIONS = ("1.31.2", "17")  # the pair that the lab runs


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an inventory, and what it makes of it."""

    text: str  # as a person would do it: "max_connections: 180"
    cluster: Cluster


@dataclass(frozen=True, slots=True)
class Ladder:
    """Changes of one value by 1 to `steps` steps."""

    steps: int
    at: Callable[[int], Change]


def ladders(cluster: Cluster, host: Host, lever: str) -> Iterator[Ladder]:
    """Return the ways to move a lever: `host-memory`, `shards`, or an override such as `postgresql.jit`."""
    if lever in OTHERS:
        yield OTHERS[lever](cluster, host)
        return
    word, _, name = lever.partition(".")
    section = cast("Section", word)
    places = [one for one in (host, *cluster.hosts) if name in effective(cluster, one, section)]
    if places:  # a value that nobody overrides is left alone
        found = effective(cluster, places[0], section)[name]
        yield from _moves(cluster, found.loc, found.value)
        loc = ".".join(map(str, found.loc))
        yield Ladder(1, lambda _: Change(f"take {loc} away", _put(cluster, found.loc, None)))


@dataclass(frozen=True, slots=True)
class _Scale:
    """A value as a count of natural steps, how a count is written, and how far it may go."""

    now: int
    written: Callable[[int], Value]
    least: int = 1
    most: int = 1 << 40


def _moves(cluster: Cluster, loc: Loc, value: Value) -> Iterator[Ladder]:
    """Move an override up, then down."""
    section = str(loc[-2])
    name = canonical(cluster.temporal.version, section, str(loc[-1]))
    scale = _scale(cluster, section, name, value)
    if scale is None:
        return

    def to(count: int) -> Change:
        moved = scale.written(count)
        shown = f"{int(moved) // MIB}MiB" if section == "memory" else text_of(moved)
        kind = {"pools": " pool", "memory": " memory"}.get(section, "")
        return Change(f"{name}{kind}: {shown}", _put(cluster, loc, moved))

    yield Ladder(min(scale.most - scale.now, FAR), lambda n: to(scale.now + n))
    yield Ladder(scale.now - scale.least, lambda n: to(scale.now - n))


def _scale(cluster: Cluster, section: str, name: str, value: Value) -> _Scale | None:
    """Return the steps of a value; None for words."""
    if section == "postgresql":
        return _scale_of_line(int(cluster.postgres.version), name, text_of(value))
    if section == "memory":
        return _Scale(int(value) // (16 * MIB), lambda n: n * 16 * MIB)
    if section == "temporal" and dynamic_config.key(cluster.temporal.version, name).kind == "duration":
        return _Scale(int(dynamic_config.duration_s(str(value))), lambda n: f"{n}s")
    if isinstance(value, bool | str):
        return None
    step = MIB if name.endswith("Bytes") else 100 if section == "temporal" else 1
    return _Scale(int(value) // step, lambda n: n * step)


def _scale_of_line(version: int, name: str, text: str) -> _Scale | None:
    parameter = parameters.postgresql(version).get(name)
    if parameter is None or parameter.kind != "integer":
        return None
    now, low, high = (parameters.in_base(version, name, word) for word in (text, *parameter.bounds))
    step = MIB if parameter.unit.endswith("B") else PLAIN_STEPS.get(name, 1)
    if parameter.unit and step != MIB:
        return None
    write: Callable[[int], Value] = (lambda n: f"{n}MB") if step == MIB else (lambda n: n * step)
    return _Scale(int(now) // step, write, max(-(-int(low) // step), 1), int(high) // step)


def _put(cluster: Cluster, loc: Loc, value: Value | None) -> Cluster:
    """Return the cluster with an override set, or taken away."""
    section, name = str(loc[-2]), str(loc[-1])

    def changed(own: Overrides) -> Overrides:
        values = {key: one for key, one in getattr(own, section).items() if key != name}
        return replace(own, **{section: values if value is None else {**values, name: value}})

    if loc[0] == "overrides":
        return replace(cluster, overrides=changed(cluster.overrides))
    host = cluster.host(str(loc[1]))
    return _with_host(cluster, replace(host, overrides=changed(host.overrides)))


def _with_host(cluster: Cluster, host: Host) -> Cluster:
    return replace(cluster, hosts=tuple(host if one.name == host.name else one for one in cluster.hosts))


def _memory(cluster: Cluster, host: Host) -> Ladder:
    def at(more_gib: int) -> Change:
        gib = host.resources.memory_bytes // GIB + more_gib
        larger = replace(host, resources=replace(host.resources, memory_bytes=gib * GIB))
        return Change(f"{host.name} with {gib}GiB of memory", _with_host(cluster, larger))

    return Ladder(1 << 10, at)


def _disk(cluster: Cluster, host: Host) -> Ladder:
    def at(more_gib: int) -> Change:
        gib = host.resources.disk.size_bytes // GIB + more_gib
        disk = replace(host.resources.disk, size_bytes=gib * GIB)
        larger = replace(host, resources=replace(host.resources, disk=disk))
        return Change(f"{host.name} with a disk of {gib}GiB", _with_host(cluster, larger))

    return Ladder(1 << 12, at)


def _nofile(cluster: Cluster, _: Host) -> Ladder:
    def at(steps: int) -> Change:
        count = cluster.nofile + steps * 256
        return Change(f"limits.nofile: {count}", replace(cluster, nofile=count))

    return Ladder((MOST_NOFILE - cluster.nofile) // 256, at)


def _shards(cluster: Cluster, _: Host) -> Ladder:
    def at(halvings: int) -> Change:
        count = cluster.temporal.shards >> halvings
        fewer = replace(cluster, temporal=replace(cluster.temporal, shards=count))
        return Change(f"temporal.shards: {count} (before the first start)", fewer)

    return Ladder(cluster.temporal.shards.bit_length() - 1, at)


def _pollers(cluster: Cluster, _: Host) -> Ladder:
    pollers = cluster.temporal.pollers or 1

    def at(fewer: int) -> Change:
        count = pollers - fewer
        return Change(
            f"temporal.pollers: {count}", replace(cluster, temporal=replace(cluster.temporal, pollers=count))
        )

    return Ladder(pollers - 1, at)


def _versions(cluster: Cluster, _: Host) -> Ladder:
    server, database = KNOWN_VERSIONS
    known = replace(
        cluster,
        temporal=replace(cluster.temporal, version=server),
        postgres=replace(cluster.postgres, version=database),
    )
    return Ladder(1, lambda _: Change(f"temporal.version: {server} and postgres.version: {database}", known))


OTHERS: Mapping[str, Callable[[Cluster, Host], Ladder]] = {
    "host-memory": _memory,
    "host-disk": _disk,
    "nofile": _nofile,
    "shards": _shards,
    "pollers": _pollers,
    "versions": _versions,
}
"""Levers that are no overrides."""
