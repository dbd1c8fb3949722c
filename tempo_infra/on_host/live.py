"""What the running database says about itself and its cluster: values that are fixed at the first start."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Optional

from tempo_infra.on_host.shell import StepError, run

ASK_S = 20.0
SHARDS_FIELD = (
    2  # history_shard_count of persistence.v1.ClusterMetadata (temporalio/temporal, proto/internal)
)
HEX = re.compile(r"[0-9a-f]*")

# Rows by their first word. Without Temporal's database it ends at \connect: then only the first two come.
# to_jsonb: the column is not there before PostgreSQL 15.
QUESTIONS = r"""
select 'identifier', system_identifier from pg_control_system();
select 'database', datname, to_jsonb(d)->>'datcollversion', to_jsonb(d)->>'datlocprovider'
from pg_database d where datallowconn and datname <> 'template1';
\connect temporal
select 'cluster', cluster_name, encode(data, 'hex') from cluster_metadata_info;
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


def read(container: str) -> Live:
    """Ask the database in that container; what does not answer is empty."""
    words = [
        "docker",
        "exec",
        "-i",
        container,
        "psql",
        "-XqAt",
        "-F",
        "\t",
        "-U",
        "postgres",
        "-d",
        "postgres",
    ]
    try:
        return parse(run(words, deadline_s=ASK_S, stdin=QUESTIONS.encode()).out)
    except StepError:
        return Live()


def parse(said: str) -> Live:
    """Make sense of the rows; anything else between them is left out."""
    identifier, databases, collations, clusters = None, [], {}, {}
    for row in (line.split("\t") for line in said.splitlines()):
        if row[0] == "identifier" and len(row) == 2 and row[1].isdigit():  # noqa: PLR2004 - columns, as asked
            identifier = row[1]
        elif row[0] == "database" and len(row) == 4:  # noqa: PLR2004
            databases.append(row[1])
            if row[2] and row[3] == "c":
                collations[row[1]] = row[2]
        elif row[0] == "cluster" and len(row) == 3 and HEX.fullmatch(row[2]) and len(row[2]) % 2 == 0:  # noqa: PLR2004
            clusters[row[1]] = _shards(bytes.fromhex(row[2]))
    return Live(identifier, databases, collations, {name: n for name, n in clusters.items() if n})


def _shards(message: bytes) -> int:
    """Return field 2 of a protobuf message; 0 when it is not there or the message is none."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            if tag >> 3 == SHARDS_FIELD:
                return value
        elif kind == 2:  # noqa: PLR2004 - wire types of protobuf: 0 varint, 1 and 5 fixed, 2 counted
            length, at = _varint(message, at)
            at += length
        else:
            at += {1: 8, 5: 4}.get(kind, len(message))
    return 0


def _varint(message: bytes, at: int) -> "tuple[int, int]":
    value = shift = 0
    while at < len(message):
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no high bit
            break
    return value, at
