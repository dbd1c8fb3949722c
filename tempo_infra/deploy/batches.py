"""The order in which Temporal's hosts are changed: role by role, a canary first, then some at a time.

A batch begins when every host of the one before serves again. Never more than a third of a role's hosts are
away at once, so that the others can take its shards and task queues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra import components
from tempo_infra.inventory.cluster import Role

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tempo_infra.deploy.plan import HostPlan
    from tempo_infra.inventory.cluster import Host

AT_ONCE = 10
SHARE = 3  # a third
ORDER = list(Role)  # as they start: who is served by others comes after them


def batches(hosts: Iterable[tuple[Host, HostPlan]]) -> list[list[str]]:
    """Return names of hosts, batch by batch."""
    groups: dict[int, list[tuple[Host, HostPlan]]] = {}
    for host, plan in hosts:
        groups.setdefault(_rank(host), []).append((host, plan))
    return [batch for _, group in sorted(groups.items()) for batch in _of(group)]


def running(hosts: Iterable[Host], down: Mapping[str, Collection[str]]) -> frozenset[Role]:
    """Return the roles of which a service runs. `down`: those that do not, by host; else all are taken to."""
    return frozenset(role for one in hosts for role in _waiting(one) if role not in down.get(one.name, ()))


def late(
    groups: Sequence[Sequence[str]], hosts: Iterable[Host], running: Collection[Role]
) -> dict[str, tuple[Role, ...]]:
    """Return, by host, the services that can't serve in its turn: what they need starts on a later host."""
    roles = {host.name: _waiting(host) for host in hosts}
    there, found = set(running), dict[str, tuple[Role, ...]]()
    for group in groups:
        for name in group:
            with_own = there.union(roles[name])
            if lacking := tuple(one for one in roles[name] if not _needs(one) <= with_own):
                found[name] = lacking
        there.update(role for name in group for role in roles[name] if role not in found.get(name, ()))
    return found


def _waiting(host: Host) -> tuple[Role, ...]:
    """Return its roles that come after the database, for which all wait."""
    return tuple(role for role in host.roles if role is not Role.POSTGRESQL)


def _needs(role: Role) -> frozenset[Role]:
    """Return what else must serve before it can, the database apart."""
    needed = components.of(role).needs
    return frozenset(one for one in Role if one in needed and one is not Role.POSTGRESQL)


def of_files(names: Sequence[str]) -> list[list[str]]:
    """Return batches of hosts that lose nothing meanwhile: a canary first, then some at a time."""
    groups = [names[:1], *(names[i : i + AT_ONCE] for i in range(1, len(names), AT_ONCE))]
    return [list(group) for group in groups if group]


def _rank(host: Host) -> int:
    """Let a host come with the last of its roles that others ask; a worker without a frontend, after all."""
    if host.has(Role.WORKER) and not host.has(Role.FRONTEND):
        return len(ORDER)
    return max(ORDER.index(role) for role in host.temporal_roles or host.roles)


def _of(group: Sequence[tuple[Host, HostPlan]]) -> Iterable[list[str]]:
    """Those on which something is down already come first, with the least to lose; then who others need."""
    in_order = sorted(group, key=lambda one: (not one[1].starts, min(map(ORDER.index, one[0].roles))))
    names = [host.name for host, _ in in_order]
    size = min(AT_ONCE, max(1, len(names) // SHARE))
    yield names[:1]
    yield from (names[i : i + size] for i in range(1, len(names), size))
