"""Hosts that the cluster has and the inventory has not: who they are, by what hosts say; pure.

Nothing is wrong with the hosts of the file then, and yet the cluster is: who has left it in the file alone
keeps its place among Temporal's servers, and with it a share of the shards.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.deploy.fitting import CLIENTS, KEEPERS
from tempo_infra.inventory.addresses import split_port, ssh_address, with_port
from tempo_infra.inventory.validators import user_name
from tempo_infra.on_host import fit
from tempo_infra.on_host.condition import span
from tempo_infra.on_host.live import Live
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from tempo_infra.deploy.believed import Believed
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.cluster_record import Member
    from tempo_infra.on_host.state import HostState

FRESH_S = 30  # a row is renewed every 10 to 15 s


@dataclass(frozen=True, slots=True)
class Departed:
    """A host that the cluster still has."""

    name: str  # as it was called; its internal address where nobody knows that, or another has the name now
    internal: str
    roles: tuple[str, ...] = ()
    ssh: str = ""  # user@address:port; empty: nobody knows
    rings: tuple[str, ...] = ()  # roles in whose ring it is
    heard_s: int | None = None  # since its last word in the database; None: none in 48 hours
    runs: tuple[str, ...] | None = None  # services that run there; None: it was not reached
    why: str = ""  # it was not reached
    shut_out: bool = False  # and that is all: its logins are refused
    only_by: str = ""  # the one host that says where ssh reaches it, where others could say so too

    @property
    def speaks(self) -> bool:
        """Whether its servers take part now, as far as anybody knows."""
        return bool(self.rings or self.runs) or (self.heard_s is not None and self.heard_s < FRESH_S)

    @property
    def state(self) -> str:
        """What it was and what it still has, in words."""
        where = [self.internal] if self.name != self.internal else []
        roles = [", ".join(self.roles)] if self.roles else []
        return "; ".join((*where, *roles, *self._has()))

    def _has(self) -> Iterator[str]:
        if self.runs:
            yield f"{', '.join(self.runs)} run there"
        elif self.runs is not None:
            yield "nothing of ours runs there"
        elif self.only_by and not self.why:
            yield f"where it is reached {self.only_by} alone says: asked there by `--gone` only"
        elif self.why:
            yield f"not reached: {self.why}"
        if self.rings:
            yield f"in the ring of {', '.join(self.rings)}"
        if self.shut_out:
            yield "its logins are refused"
        if self.heard_s is not None:
            yield f"last heard of {span(self.heard_s)} ago"


def departed(
    cluster: Cluster, states: Mapping[str, HostState], told: Believed, asked: Collection[str] = ()
) -> tuple[Departed, ...]:
    """Return who is in the cluster by any of: its records, Temporal's ring, its rows in the database.

    A host is the file's when its internal address is, or the place where ssh reaches it, or an address that
    is up on a host of the file, and no record says that it is another's: its name may be another, or it
    moves. A row counts while pg_hba.conf names its address: whoever has Temporal's password can write one.
    Whoever was shut out before is among them when its logins are refused, and when it is `asked` for.
    """
    rings = _rings(states.values())
    database = states.get(store(cluster).writer.name)
    live = database.live if database else Live()  # no other host's word on whom it lets in
    admitted, heard = set(live.admitted), _heard(live)
    members = _members(told, admitted, cluster.hosts)
    may_be = members | {one.internal for one in told.gone}
    likeliest = told.likeliest(lambda one: not _is_here(one, cluster.hosts))
    known = {one.internal: one for one in likeliest if one.internal in may_be}
    alone = told.told_by_one
    own = {address for state in states.values() for address in state.addresses} - known.keys()
    own |= {host.internal for host in cluster.hosts}
    taking_part = members | rings.keys() | (heard.keys() & admitted)
    refused_here = set(live.refused) & (known.keys() | heard.keys())
    named = {at for at, one in known.items() if {at, one.name} & set(asked)}
    there = sorted((taking_part | refused_here | named) - own)
    times = Counter(known[address].name for address in there if address in known)
    taken = {host.name for host in cluster.hosts} | {name for name, many in times.items() if many > 1}
    return tuple(
        Departed(
            *_called(known.get(address), address, taken),
            roles=known[address].roles if address in known else _sorted(rings, heard, address),
            ssh=_way_to(known[address]) if address in known else "",
            rings=tuple(sorted(rings.get(address, ()))),
            heard_s=min(heard[address].values()) if address in heard else None,
            shut_out=address not in taking_part,
            only_by=alone.get((address, known[address].ssh), "") if address in known else "",
        )
        for address in there
    )


def _members(told: Believed, admitted: Collection[str], hosts: Sequence[Host]) -> set[str]:
    """Return the addresses of members that are not in the file.

    Whom the newest record leaves out it may hide. So a member of an older one is one still, unless it was
    taken out since: the later records of several hosts have it no more, or the database says of itself whom
    it lets in, and has no place for it.
    """
    there = {*admitted, *(one.internal for one in (told.newest.members if told.newest else ()))}
    return {
        one.internal
        for one, left_since in told.members
        if not _is_here(one, hosts)
        and (one.internal in there or not (left_since or (admitted and _needs_admission(one))))
    }


def _needs_admission(one: Member) -> bool:
    return not (CLIENTS | KEEPERS).isdisjoint(one.roles)


def _called(known: Member | None, address: str, taken: Collection[str]) -> tuple[str, str]:
    """Return its name, and its address: one name is one host's, and what is an address is no name."""
    named = known is not None and known.name not in taken and not fit.is_address(known.name)
    return (known.name if known and named else address), address


def _way_to(one: Member) -> str:
    """Return how ssh reaches it; empty where that is none that an inventory could have."""
    user, _, place = one.ssh.rpartition("@")
    try:
        ssh_address(split_port(place)[0])
        user_name(user)
    except ValueError:  # what a host says is only said
        return ""
    return one.ssh


def _sorted(
    rings: Mapping[str, set[str]], heard: Mapping[str, Mapping[str, int]], address: str
) -> tuple[str, ...]:
    return tuple(sorted(rings.get(address, set()) | heard.get(address, {}).keys()))


def _rings(states: Iterable[HostState]) -> dict[str, set[str]]:
    """Return address -> roles in whose ring it is, as any frontend sees it."""
    found: dict[str, set[str]] = {}
    for role, _, at in (one.partition(" ") for state in states for one in state.ring):
        with contextlib.suppress(ValueError):  # what a host says is only said
            found.setdefault(fit.address(at.rpartition(":")[0].strip("[]")), set()).add(role)
    return found


def _heard(live: Live) -> dict[str, dict[str, int]]:
    """Return address -> role -> seconds since its row was renewed."""
    found: dict[str, dict[str, int]] = {}
    for row in live.members:
        roles = found.setdefault(row.address, {})
        roles[row.role] = min(row.ago_s, roles.get(row.role, row.ago_s))
    return found


def _is_here(one: Member, hosts: Iterable[Host]) -> bool:
    places = {with_port(host.ssh.address, host.ssh.port) for host in hosts}
    return one.ssh.rpartition("@")[2] in places or one.internal in {host.internal for host in hosts}
