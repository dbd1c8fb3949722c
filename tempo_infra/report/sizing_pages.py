"""The pages of the reference that sizing makes: budgets, and pgtune beside ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.inventory.overrides import LOSES, SYSCTL
from tempo_infra.sizing import pgtune
from tempo_infra.sizing.budgets import BUDGETS
from tempo_infra.sizing.coefficients import DEFAULTS, PLACES
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.sizing import Settings

WHY: Mapping[str, str] = {
    "max_connections": "a sum of pools; pgtune has to be told",
    "shared_buffers": "a quarter of PostgreSQL's share, not of the host, where others live too",
    "effective_cache_size": "three quarters of the same share",
    "maintenance_work_mem": "the same rule on the share, at most 2 GB",
    "work_mem": "Temporal sorts little; pgtune's grows with memory and multiplies with connections",
    "wal_buffers": "the same; more measured no gain",
    "min_wal_size": "from the disk, a quarter of max_wal_size",
    "max_wal_size": "a tenth of the disk that it shares with the data; pgtune does not know the disk",
    "checkpoint_completion_target": "the same",
    "default_statistics_target": "the server's default is the same",
    "random_page_cost": "the same",
    "effective_io_concurrency": "hardly used by Temporal's statements: no measured reason for more",
    "huge_pages": "from 8 GB of shared_buffers on, with the pages reserved; without them `try` does nothing",
    "jit": "the same",
    "wal_compression": "the same: 35 % less WAL measured",
    "autovacuum_work_mem": "set at every size, and counted in the memory budget",
    "autovacuum_max_workers": "a dozen busy tables; counted in the memory budget",
    "io_method": "Docker's seccomp profile refuses io_uring",
}


def budgets() -> str:
    """Return the page of budgets, refused values and coefficients."""
    rows = [f"| `{one.id}` | {one.says} | {one.why} |" for one in BUDGETS]
    lost = [f"| `{name}` | {', '.join(sorted(words))} | {why} |" for name, (words, why) in LOSES.items()]
    kernel = [f"| `{name}` | {low} to {high} |" for name, (low, high) in sorted(SYSCTL.items())]
    sums = [f"| `{one.name}` | {one.value:g} | {one.unit} | {one.source} |" for one in DEFAULTS]
    return "\n".join(
        [
            "# Budgets",
            "",
            "Rules that hold across files and hosts, checked by every command that sizes. One that does not",
            "hold is an error (exit 2) with its numbers, the lines of the inventory, and the nearest change",
            "that satisfies it; that change was tried before it is named.",
            "",
            *_table("budget", "holds when", "else", rows=rows),
            "## Values that are refused",
            "",
            "In `overrides:` and in own templates, whatever is accepted. So are `trust`, `md5`, `password`",
            "and `ident` in pg_hba.conf, and an `archive_command` that keeps nothing, such as `/bin/true`.",
            "`synchronous_commit: off` needs `accept: [synchronous-commit-off]`; every plan shows it.",
            "",
            *_table("parameter", "value", "because", rows=lost),
            "## Kernel settings that may be overridden",
            "",
            *_table("setting", "range", rows=kernel),
            "## Coefficients of `capacity`",
            "",
            f"{PLACES}. `--measured FILE` replaces any of them.",
            "",
            *_table("name", "value", "unit", "source", rows=sums),
        ]
    )


def beside_pgtune(sized: Iterable[tuple[Cluster, Settings]]) -> str:
    """Return ours and pgtune's values, a table a database host."""
    parts = [
        "# pgtune beside ours",
        "",
        "What [pgtune](https://pgtune.leopard.in.ua) says (OLTP, Linux) for a host, and what is set",
        "here when it is the database host of a cluster. Its formulas are checked against its vectors.",
        "",
    ]
    for cluster, settings in sized:
        parts += _beside(cluster, settings)
    rows = [f"| `{name}` | {why} |" for name, why in WHY.items()]
    return "\n".join([*parts, "## Where they differ, why", "", *_table("parameter", "reason", rows=rows)])


def _beside(cluster: Cluster, settings: Settings) -> list[str]:
    host = store(cluster).writer
    have, version = host.resources, int(cluster.postgres.version)
    ours = {one.name: one.text for one in settings.host(host.name).postgresql}
    tuned = pgtune.rules(have.memory_bytes, have.vcpu, have.disk.kind, int(ours["max_connections"]), version)
    disk = f"{have.disk.kind} of {have.disk.size_bytes >> 30} GiB"
    title = f"## {have.memory_bytes >> 30} GiB, {have.vcpu} vCPU, {disk}"
    none = "server default"
    rows = [
        f"| `{name}` | {ours.get(name, none)} | {tuned.get(name, none)} |"
        for name in WHY
        if name in ours or name in tuned
    ]
    return [title, "", *_table("parameter", "ours", "pgtune", rows=rows)]


def _table(*heads: str, rows: list[str]) -> list[str]:
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *rows, ""]
