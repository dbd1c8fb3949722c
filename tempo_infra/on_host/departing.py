"""A host that left the inventory: what runs on it, until when it speaks, and its sessions in the database."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable

from tempo_infra.on_host import containers, fit, psql, which_engine
from tempo_infra.on_host.cluster_name import cluster_here
from tempo_infra.on_host.database import TEMPORALS, YOUNG_S
from tempo_infra.on_host.network_addresses import addresses
from tempo_infra.on_host.ring import IT_RUNS
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change, upkeep

PAUSE_S = 1.0


@dataclass(frozen=True)
class Found:
    """What a host that may have left has of ours."""

    cluster: str  # that it belongs to; empty: to none
    addresses: "list[str]"
    services: "list[str]"  # that run


def look(layout: Layout) -> Found:
    """Read what a host that left the inventory is and runs; nothing is changed."""
    runs = {} if which_engine.find(deadline_s=30).absent else containers.running(layout)
    return Found(cluster_here(layout), addresses(), sorted(runs))


def silent(args: upkeep.Silent, say: "Callable[[str], None]" = lambda _: None) -> "dict[str, float]":
    """Wait until no server at these addresses has spoken for 20 s. Asked on the database host. StepError."""
    started = time.monotonic()
    told = ""
    while speaking := _heard(args.addresses):
        words = ", ".join(f"{address} spoke {ago_s} s ago" for address, ago_s in speaking.items())
        if time.monotonic() - started > args.deadline_s:
            raise StepError(words, remedy=IT_RUNS)
        if words != told:
            say(f"{words}; its membership ends {YOUNG_S} s after its last word")
            told = words
        time.sleep(PAUSE_S)
    return {"seconds": time.monotonic() - started}


def _heard(wanted: "list[str]") -> "dict[str, int]":
    """Return since how many seconds each of these has been silent, where that is not long enough."""
    query = (
        "select left(rpc_address::text, 64) as address, min(extract(epoch from "  # noqa: S608 - checked
        "(now() at time zone 'utc') - last_heartbeat))::integer as ago from public.cluster_membership "
        f"where rpc_address in ({_quoted(wanted)}) "
        f"and last_heartbeat > (now() at time zone 'utc') - interval '{YOUNG_S} s' "
        "group by rpc_address limit 1000"
    )
    rows = psql.ask(psql.database_container(), query, database=TEMPORALS, deadline_s=20)
    return {str(row["address"]): int(row["ago"]) for row in rows if row["address"] in wanted}


@dataclass(frozen=True)
class Ended:
    sessions: int = 0
    say: str = field(default="")


def end_sessions(args: change.EndSessions) -> Ended:
    """End what hosts at these addresses have open in the database: pg_hba.conf refuses new sessions only."""
    query = (
        "select count(pg_terminate_backend(pid)) as ended from pg_stat_activity "  # noqa: S608 - checked
        f"where client_addr in ({_quoted(args.addresses, '::inet')})"
    )
    [row] = psql.ask(psql.database_container(), query, deadline_s=20)
    count = int(row["ended"])
    return Ended(count, f"{count} sessions ended" if count else "")


def _quoted(wanted: "list[str]", cast: str = "") -> str:
    """Return addresses as SQL; ValueError for what is none."""
    return ", ".join(f"'{fit.address(one)}'{cast}" for one in wanted)
