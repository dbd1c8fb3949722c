"""The nearest change of the inventory that satisfies a budget: searched for, and tried before it is named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tempo_infra.errors import InputError
from tempo_infra.sizing import budget, hosts, overrides, parameters
from tempo_infra.sizing.breach import Breach, OverBudgetError
from tempo_infra.sizing.overrides import effective, text_of
from tempo_infra.sizing.settings import GIB, MIB, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tempo_infra.inventory.cluster import Cluster, Host, Overrides, Value

MOST_NAMED = 3
DOUBLINGS = 14
STEPS: Mapping[str, int] = {"max_connections": 10}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an inventory, and what it makes of it."""

    text: str  # as a person would do it: "max_connections: 180"
    cluster: Cluster


def size(cluster: Cluster) -> Settings:
    """Size every host of the cluster. Warnings and accepted risks stand in what is returned.

    InputError for overrides that can't be, and for budgets that do not hold: with the arithmetic, the lines
    of the inventory, and the nearest changes that satisfy each.
    """
    overrides.check(cluster)
    settings, found = judged(cluster)
    errors = [breach for breach in found if not breach.warning]
    if errors or settings is None:
        named = [breach.text(tuple(change.text for change in nearest(cluster, breach))) for breach in errors]
        raise InputError("\n".join(named), remedy="nothing was contacted")
    return replace(settings, warnings=tuple(breach.text() for breach in found))


def judged(cluster: Cluster) -> tuple[Settings | None, tuple[Breach, ...]]:
    """Return the settings and the budgets that they break; no settings where nothing can be sized."""
    try:
        settings = hosts.compute(cluster)
    except OverBudgetError as error:
        return None, (error.breach,)
    return settings, budget.broken(cluster, settings)


def nearest(cluster: Cluster, breach: Breach) -> tuple[Change, ...]:
    """Return changes that satisfy the budget, the smallest of each kind.

    They leave every other budget as it is; where there is none such, they break no other one.
    """
    before = {found.key: found.over for found in judged(cluster)[1]}

    def after(candidate: Cluster) -> dict[tuple[str, str], str] | None:
        try:
            overrides.check(candidate)
        except InputError:
            return None
        return {found.key: found.over for found in judged(candidate)[1]}

    def alone(candidate: Cluster) -> bool:
        found = after(candidate)
        return found is not None and breach.key not in found and found.items() <= before.items()

    def loosely(candidate: Cluster) -> bool:
        found = after(candidate)
        return found is not None and breach.key not in found and found.keys() <= before.keys()

    return _found(cluster, breach, alone) or _found(cluster, breach, loosely)


def _found(cluster: Cluster, breach: Breach, works: Callable[[Cluster], bool]) -> tuple[Change, ...]:
    found: list[Change] = []
    for lever in breach.levers:
        change = next((one for one in _tried(cluster, breach, lever, works)), None)
        if change is not None and change.text not in {one.text for one in found}:
            found.append(change)
        if len(found) == MOST_NAMED:
            break
    return tuple(found)


def _tried(
    cluster: Cluster, breach: Breach, lever: str, works: Callable[[Cluster], bool]
) -> Iterator[Change]:
    for ladder in _ladders(cluster, breach, lever):
        change = _smallest(ladder, works)
        if change is not None:
            yield change


@dataclass(frozen=True, slots=True)
class _Ladder:
    """Changes of one value, by how many steps it is moved; None where it can't be moved so far."""

    steps: int
    at: Callable[[int], Change | None]


def _smallest(ladder: _Ladder, works: Callable[[Cluster], bool]) -> Change | None:
    """Return the change of the fewest steps that works: doubled until one does, then halved back."""
    low, high, found = 0, 1, None
    while high <= ladder.steps:
        last = _furthest(ladder, low, high)
        change = ladder.at(last)
        if change is not None and works(change.cluster):
            found, high = change, last
            break
        if last < high:
            return None
        low, high = high, high * 2
    while found is not None and high - low > 1:
        middle = (low + high) // 2
        change = ladder.at(middle)
        if change is not None and works(change.cluster):
            found, high = change, middle
        else:
            low = middle
    return found


def _furthest(ladder: _Ladder, low: int, high: int) -> int:
    """Return the last step up to `high` that there is; `low` is one."""
    if ladder.at(high) is not None:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if ladder.at(middle) is None else (middle, high)
    return low


def _ladders(cluster: Cluster, breach: Breach, lever: str) -> Iterator[_Ladder]:
    host = cluster.host(breach.host)
    if lever == "host-memory":
        yield _Ladder(1 << 10, lambda n: _resources(cluster, host, memory_gib=n))
    elif lever == "host-disk":
        yield _Ladder(1 << 12, lambda n: _resources(cluster, host, disk_gib=n))
    elif lever == "nofile":
        yield _Ladder(1 << 10, lambda n: _nofile(cluster, n))
    elif lever == "shards":
        yield _Ladder(DOUBLINGS, lambda n: _shards(cluster, n))
    elif lever == "pollers":
        yield _Ladder(1 << 20, lambda n: _pollers(cluster, n))
    else:
        section, _, name = lever.partition(".")
        yield from _of_override(cluster, host, section, name)


def _of_override(cluster: Cluster, host: Host, section: str, name: str) -> Iterator[_Ladder]:
    """Move an override up, then down, then take it away; a value that nobody overrides is left alone."""
    places = [one for one in (host, *cluster.hosts) if name in effective(cluster, one, section)]  # type: ignore[arg-type]  # a lever's words are sections
    if not places:
        return
    found = effective(cluster, places[0], section)[name]  # type: ignore[arg-type]  # as above
    for sign in (1, -1):
        yield _Ladder(1 << 16, lambda n, sign=sign: _moved(cluster, found.loc, found.value, sign * n))  # type: ignore[misc]
    yield _Ladder(
        1, lambda _: Change(f"take {'.'.join(map(str, found.loc))} away", _put(cluster, found.loc, None))
    )


def _moved(cluster: Cluster, loc: tuple[str | int, ...], value: Value, steps: int) -> Change | None:
    name, section = str(loc[-1]), str(loc[-2])
    try:
        moved = _stepped(cluster, section, name, value, steps)
    except ValueError:
        return None
    if moved is None:
        return None
    shown = f"{int(moved) // MIB}MiB" if section == "memory" else text_of(moved)
    label = f"{name} pool" if section == "pools" else f"{name} memory" if section == "memory" else name
    return Change(f"{label}: {shown}", _put(cluster, loc, moved))


def _stepped(cluster: Cluster, section: str, name: str, value: Value, steps: int) -> Value | None:
    """Return the value moved by so many of its natural steps, as it would be written."""
    if section == "memory":
        return _positive(int(value) + steps * 16 * MIB)
    if section == "postgresql":
        return _stepped_line(int(cluster.postgres.version), name, text_of(value), steps)
    if isinstance(value, str) and section == "temporal":
        seconds = _positive(int(parameters.duration_s(value)) + steps)
        return None if seconds is None else f"{seconds}s"
    if isinstance(value, bool | str):
        return None
    each = MIB if name.endswith("Bytes") else 100 if section == "temporal" else 1
    return _positive(int(value) + steps * each)


def _stepped_line(version: int, name: str, text: str, steps: int) -> Value | None:
    unit = parameters.postgresql(version)[name].unit
    now = parameters.in_base(version, name, text)
    if unit.endswith("B"):
        size = _positive(int(now) // MIB + steps)
        return None if size is None else f"{size}MB"
    step = STEPS.get(name, 1)
    return None if unit else _positive((int(now) // step + steps) * step)


def _positive(number: int) -> int | None:
    return number if number > 0 else None


def _put(cluster: Cluster, loc: tuple[str | int, ...], value: Value | None) -> Cluster:
    section, name = str(loc[-2]), str(loc[-1])

    def changed(own: Overrides) -> Overrides:
        values = {key: one for key, one in getattr(own, section).items() if key != name}
        return replace(own, **{section: values if value is None else {**values, name: value}})

    if loc[0] == "overrides":
        return replace(cluster, overrides=changed(cluster.overrides))
    return _with_host(
        cluster, replace(cluster.host(str(loc[1])), overrides=changed(cluster.host(str(loc[1])).overrides))
    )


def _with_host(cluster: Cluster, host: Host) -> Cluster:
    return replace(cluster, hosts=tuple(host if one.name == host.name else one for one in cluster.hosts))


def _resources(cluster: Cluster, host: Host, memory_gib: int = 0, disk_gib: int = 0) -> Change:
    """Give a host whole GiB more than it has."""
    now = host.resources
    memory = (now.memory_bytes // GIB + memory_gib) * GIB if memory_gib else now.memory_bytes
    disk = (now.disk.size_bytes // GIB + disk_gib) * GIB if disk_gib else now.disk.size_bytes
    changed = replace(now, memory_bytes=memory, disk=replace(now.disk, size_bytes=disk))
    text = (
        f"{host.name} with {memory // GIB}GiB of memory"
        if memory_gib
        else f"{host.name} with a disk of {disk // GIB}GiB"
    )
    return Change(text, _with_host(cluster, replace(host, resources=changed)))


def _nofile(cluster: Cluster, steps: int) -> Change | None:
    count = cluster.nofile + steps * 256
    return Change(f"limits.nofile: {count}", replace(cluster, nofile=count)) if count <= 1 << 20 else None


def _shards(cluster: Cluster, halvings: int) -> Change | None:
    count = cluster.temporal.shards >> halvings
    changed = replace(cluster, temporal=replace(cluster.temporal, shards=count))
    return Change(f"temporal.shards: {count} (before the first start)", changed) if count else None


def _pollers(cluster: Cluster, steps: int) -> Change | None:
    count = (cluster.temporal.pollers or 0) - steps
    changed = replace(cluster, temporal=replace(cluster.temporal, pollers=count))
    return Change(f"temporal.pollers: {count}", changed) if count > 0 else None
