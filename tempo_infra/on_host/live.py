"""What the running database says: of itself and its cluster what is fixed at the first start; namespaces."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Iterable, Optional, Sequence

from tempo_infra.on_host import fit, psql
from tempo_infra.on_host.database import IDENTIFIER, TEMPORALS
from tempo_infra.on_host.probes import overrides, protobuf, refused
from tempo_infra.on_host.probes.reading import Unread, attempt
from tempo_infra.on_host.shell import StepError

Rows = Sequence["dict[str, Any]"]
ASK_S = 20.0
# Fields of messages in persistence.v1 (temporalio/temporal, proto/internal): ClusterMetadata's shards;
# NamespaceDetail's info and config, NamespaceInfo's state and name, NamespaceConfig's retention, its seconds.
SHARDS = 2
INFO, CONFIG, STATE, NAME, RETENTION, SECONDS = 1, 2, 2, 3, 1, 1
MOST_MEMBERS = 1000  # rows; more are written by somebody who wants others to be left out
KNOWN_H = 48  # for so long Temporal itself keeps the row of a member that is gone
DELETED = 3  # enums.v1.NamespaceState

# Addresses, not networks, that pg_hba.conf names to let them in.
ADMITTED = """
(select json_agg(distinct r.address) from (select address from pg_hba_file_rules
 where type like 'host%' and auth_method <> 'reject' and netmask in
  ('255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') limit 1000) r)
"""
# to_jsonb: the column is not there before PostgreSQL 15.
DATABASES = f"""
select {IDENTIFIER} as identifier, d.datname::text as name,
 pg_database_size(d.oid)::bigint as bytes, to_jsonb(d)->>'datcollversion' as version,
 to_jsonb(d)->>'datlocprovider' as provider,
 case when datname = 'postgres' then {overrides.QUERY} end as overrides,
 case when datname = 'postgres' then {ADMITTED} end as admitted
from pg_database d where datname not in ('template0', 'template1') order by datname limit 500
"""  # noqa: S608 - constants
CLUSTERS = """
select left(cluster_name::text, 256) as name, encode(substr(data, 1, 65536), 'hex') as data
from public.cluster_metadata_info limit 100
"""
MEMBERS = f"""
select case role when 1 then 'frontend' when 2 then 'history' when 3 then 'matching' when 4 then 'worker' end
 as role, left(rpc_address::text, 64) as address,
 min(extract(epoch from (now() at time zone 'utc') - last_heartbeat))::integer as heard_s
from public.cluster_membership
where last_heartbeat > (now() at time zone 'utc') - interval '{KNOWN_H} h'
 and last_heartbeat < (now() at time zone 'utc') + interval '{KNOWN_H} h'
group by role, rpc_address order by role, rpc_address limit {MOST_MEMBERS}
"""  # noqa: S608 - constants
NAMESPACES = """
select encode(data, 'hex') as data from public.namespaces where length(data) < 16384 limit 5000
"""


@dataclass(frozen=True)
class Heard:
    """A member of Temporal's by its row in the database, and since when that was not renewed."""

    role: str
    address: str  # IP literal; ValueError for what is none
    ago_s: int

    def __post_init__(self) -> None:
        fit.address(self.address)


@dataclass(frozen=True)
class Live:
    """None and empty where it was not asked or did not say."""

    system_identifier: Optional[str] = None
    databases: "list[str]" = field(default_factory=list)
    collations: "dict[str, str]" = field(
        default_factory=dict
    )  # database -> version of the C library it is sorted by
    # Pairs: of two names that hold a password each, the same is left where it is hidden.
    clusters: "list[tuple[str, int]]" = field(default_factory=list)  # Temporal clusters, their shards
    namespaces: "list[tuple[str, int]]" = field(default_factory=list)  # seconds of retention; never empty
    sizes: "dict[str, int]" = field(default_factory=dict)  # database -> bytes
    overrides: "list[str]" = field(default_factory=list)  # set beside the files by somebody else, in words
    members: "list[Heard]" = field(default_factory=list)  # with a row of the last 48 hours
    admitted: "list[str]" = field(default_factory=list)  # addresses that pg_hba.conf lets in, each by itself
    refused: "list[str]" = field(default_factory=list)  # addresses whose logins it has just refused
    unasked: str = ""  # why something of this could not be asked, or what was unfit
    in_part: bool = False  # `members` are not all: it did not say, or there are too many

    def __post_init__(self) -> None:
        for one in (*self.admitted, *self.refused):
            fit.address(one)


def read(container: str) -> Live:
    """Ask the database in that container; what does not answer is empty, and `unasked` says why."""
    said: "list[Rows]" = []
    unasked = ""
    try:
        said.append(psql.ask(container, DATABASES, deadline_s=ASK_S))
        if any(row["name"] == TEMPORALS for row in said[0]):
            for query in (CLUSTERS, NAMESPACES, MEMBERS):
                said.append(psql.ask(container, query, database=TEMPORALS, deadline_s=ASK_S))
    except StepError as error:
        unasked = "; ".join(filter(None, (str(error), error.remedy)))
    found = of_rows(*said)
    found = replace(found, in_part=bool(unasked) or any(len(rows) >= MOST_MEMBERS for rows in said[3:]))
    knocking = attempt(lambda: [one.address for one in refused.read(container)])
    found = replace(found, refused=knocking.value or [])
    return replace(found, unasked="; ".join(filter(None, (found.unasked, unasked))))


def of_rows(
    databases: "Rows" = (), clusters: "Rows" = (), namespaces: "Rows" = (), members: "Rows" = ()
) -> Live:
    """Make sense of the rows; what has none is left out."""
    shards = [(str(row["name"]), _shards(row["data"])) for row in clusters if row["name"]]
    fit_clusters, of_clusters = _fit("clusters", (one for one in shards if one[1]))
    fit_namespaces, of_namespaces = _fit(
        "namespaces", (one for row in namespaces for one in _namespace(row["data"]))
    )
    return Live(
        next((row["identifier"] for row in databases), None),
        [row["name"] for row in databases],
        {row["name"]: row["version"] for row in databases if row["version"] and row["provider"] == "c"},
        fit_clusters,
        fit_namespaces,
        {row["name"]: int(row["bytes"]) for row in databases if row.get("bytes")},
        [one for row in databases for one in overrides.strange(row.get("overrides") or [])],
        [one for row in members for one in _heard(row)],
        [one for row in databases for one in filter(fit.is_address, row.get("admitted") or [])],
        [],
        "; ".join((*of_clusters, *of_namespaces)),
    )


def _fit(what: str, found: "Iterable[tuple[str, int]]") -> "tuple[list[tuple[str, int]], list[str]]":
    """Return those that Temporal can have, and words of what is unfit.

    A name that no inventory can have is left out alone. A number that can't be, or two for one name: then
    nothing of all of them is believed.
    """
    pairs = list(dict.fromkeys(found))
    named = [one for one in pairs if fit.NAME.fullmatch(one[0])]
    left_out = len(pairs) - len(named)
    words = [f"{left_out} of Temporal's {what} with a name that no inventory can have"] if left_out else []
    times = Counter(name for name, _ in named)
    wrong = sorted(name for name in times if times[name] > 1)
    wrong += sorted(name for name, number in named if not fit.is_number(number) and times[name] == 1)
    if not wrong:
        return named, words
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    why = "there twice, or with a number that can't be, so none is compared"
    return [], [*words, f"Temporal's {what}: {wrong[0]}{more}: {why}"]


def _heard(row: "dict[str, Any]") -> "list[Heard]":
    """Return a member; none for a row that nobody can be, which whoever has the password can write."""
    if row["role"] is None or not fit.is_address(row["address"]):
        return []
    return [Heard(str(row["role"]), str(row["address"]), max(0, int(row["heard_s"])))]


def _shards(message: object) -> int:
    """Return the number of shards; 0 when it is not there or the message is none."""
    try:
        return protobuf.number(bytes.fromhex(str(message)), SHARDS)
    except (ValueError, Unread):
        return 0


def _namespace(message: object) -> "list[tuple[str, int]]":
    """Return a namespace's name and retention; none for one that is being deleted, or no message."""
    try:
        data = bytes.fromhex(str(message))
        info, config = (b"".join(protobuf.texts(data, field)) for field in (INFO, CONFIG))
        name = b"".join(protobuf.texts(info, NAME)).decode(errors="replace")
        seconds = protobuf.number(b"".join(protobuf.texts(config, RETENTION)), SECONDS)
        return [(name, seconds)] if name and protobuf.number(info, STATE) != DELETED else []
    except (ValueError, Unread):
        return []
