"""What the running database says: of itself and its cluster what is fixed at the first start; namespaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from tempo_infra.on_host.probes import protobuf
from tempo_infra.on_host.probes.reading import Unread
from tempo_infra.on_host.psql import psql
from tempo_infra.on_host.shell import StepError

ASK_S = 20.0
# Fields of messages in persistence.v1 (temporalio/temporal, proto/internal): ClusterMetadata's shards;
# NamespaceDetail's info and config, NamespaceInfo's state and name, NamespaceConfig's retention, its seconds.
SHARDS = 2
INFO, CONFIG, STATE, NAME, RETENTION, SECONDS = 1, 2, 2, 3, 1, 1
DELETED = 3  # enums.v1.NamespaceState

# Rows by their first word. Without Temporal's database it ends at \connect: then only the first two come.
# to_jsonb: the column is not there before PostgreSQL 15.
QUESTIONS = r"""
select 'identifier', system_identifier from pg_control_system();
select 'database', datname, to_jsonb(d)->>'datcollversion', to_jsonb(d)->>'datlocprovider'
from pg_database d where datallowconn and datname <> 'template1';
\connect temporal
select 'cluster', cluster_name, encode(data, 'hex') from cluster_metadata_info;
select 'namespace', encode(data, 'hex') from namespaces where length(data) < 16384 limit 5000;
"""


@dataclass(frozen=True)
class Live:
    """None and empty where it was not asked or did not say."""

    system_identifier: Optional[str] = None
    databases: "list[str]" = field(default_factory=list)
    collations: "dict[str, str]" = field(
        default_factory=dict
    )  # database -> version of the C library it is sorted by
    clusters: "dict[str, int]" = field(default_factory=dict)  # Temporal cluster -> its shards
    namespaces: "dict[str, int]" = field(default_factory=dict)  # name -> seconds of retention; never empty


def read(container: str) -> Live:
    """Ask the database in that container; what does not answer is empty."""
    try:
        return parse(psql(container, QUESTIONS, separator="\t", deadline_s=ASK_S).out)
    except StepError:
        return Live()


def parse(said: str) -> Live:
    """Make sense of the rows; anything else between them is left out."""
    identifier, databases, collations, clusters, namespaces = None, [], {}, {}, {}
    for row in (line.split("\t") for line in said.splitlines()):
        if row[0] == "identifier" and len(row) == 2 and row[1].isdigit():  # noqa: PLR2004 - columns, as asked
            identifier = row[1]
        elif row[0] == "database" and len(row) == 4:  # noqa: PLR2004
            databases.append(row[1])
            if row[2] and row[3] == "c":
                collations[row[1]] = row[2]
        elif row[0] == "cluster" and len(row) == 3:  # noqa: PLR2004
            clusters[row[1]] = _shards(row[2])
        elif row[0] == "namespace" and len(row) == 2:  # noqa: PLR2004
            namespaces.update(_namespace(row[1]))
    clusters = {name: n for name, n in clusters.items() if n}
    return Live(identifier, databases, collations, clusters, namespaces)


def _shards(message: str) -> int:
    """Return the number of shards; 0 when it is not there or the message is none."""
    try:
        return protobuf.number(bytes.fromhex(message), SHARDS)
    except (ValueError, Unread):
        return 0


def _namespace(message: str) -> "dict[str, int]":
    """Return a namespace's name and retention; nothing for one that is being deleted, or no message."""
    try:
        data = bytes.fromhex(message)
        info, config = (b"".join(protobuf.texts(data, field)) for field in (INFO, CONFIG))
        name = b"".join(protobuf.texts(info, NAME)).decode(errors="replace")
        seconds = protobuf.number(b"".join(protobuf.texts(config, RETENTION)), SECONDS)
        return {name: seconds} if name and protobuf.number(info, STATE) != DELETED else {}
    except (ValueError, Unread):
        return {}
