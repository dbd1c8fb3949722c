"""The order in which Temporal's hosts are changed: role by role, a canary first, then some at a time.

A batch begins when every host of the one before serves again. Never more than a third of a role's hosts are
away at once, so that the others can take its shards and task queues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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


def of_files(names: Sequence[str]) -> list[list[str]]:
    """Return batches of hosts that lose nothing meanwhile: a canary first, then some at a time."""
    groups = [names[:1], *(names[i : i + AT_ONCE] for i in range(1, len(names), AT_ONCE))]
    return [list(group) for group in groups if group]


def _rank(host: Host) -> int:
    """Let a host come with the last of its roles; the worker service does not serve before a frontend."""
    if host.has(Role.WORKER) and not host.has(Role.FRONTEND):
        return len(ORDER)
    return max(ORDER.index(role) for role in host.roles)


def _of(group: Sequence[tuple[Host, HostPlan]]) -> Iterable[list[str]]:
    """Hosts on which something is down already come first: they have the least to lose."""
    names = [host.name for host, _ in sorted(group, key=lambda one: not one[1].starts)]
    size = min(AT_ONCE, max(1, len(names) // SHARE))
    yield names[:1]
    yield from (names[i : i + size] for i in range(1, len(names), size))
