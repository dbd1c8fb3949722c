"""What others would set in the place of each value: the article, pgtune, the server left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.inventory import dynamic_config, parameters
from tempo_infra.sizing import pgtune
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tempo_infra.inventory.cluster import Cluster, Role
    from tempo_infra.sizing.settings import Setting, TemporalSettings

ARTICLE: Mapping[str, str] = {
    "max_connections": "200",
    "shared_buffers": "2GB",
    "effective_cache_size": "6GB",
}
"""The three flags of the article that this project began with; it sets nothing else of PostgreSQL."""

ARTICLE_POOLS = (20, 10)  # maxConns of the main and of the visibility store: the image's defaults
ARTICLE_SHARDS = 4

SERVER: Mapping[str, str] = {  # defaults of Temporal that are no plain value in its source
    "frontend.enableServerVersionCheck": "true, unless TEMPORAL_VERSION_CHECK_DISABLED is set",
    "matching.numTaskqueueReadPartitions": "4",
    "matching.numTaskqueueWritePartitions": "4",
}

KERNEL: Mapping[str, tuple[tuple[str, str], ...]] = {
    "vm.swappiness": (("kernel default", "60"), ("tuned's postgresql profile", "3")),
    "vm.dirty_background_bytes": (("kernel default", "10 % of memory"),),
    "vm.dirty_bytes": (("kernel default", "20 % of memory"),),
    "vm.nr_hugepages": (("kernel default", "0"),),
    "net.core.somaxconn": (("kernel default", "4096, before 5.4 128"),),
}

MATTERS: Mapping[str, str] = {
    "shared_buffers": "no gain measured while the data fits; spares reads as it grows",
    "work_mem": "Temporal's statements sort little; lists of the UI do",
    "max_wal_size": "with wal_compression: full-page images 2.8 to 0.3 a transaction, WAL halved over 300 s",
    "wal_compression": "measured 35 % less WAL a transaction",
    "checkpoint_timeout": "recovery after a crash reads at most this much WAL",
    "synchronous_commit": "off measured +9 % on a fast disk: not worth losing acknowledged steps",
    "max_connections": "larger pools than 20+10 measured no gain; at most 86 connections were ever open",
    "wal_buffers": "64 MB measured no gain",
    "effective_io_concurrency": "reads ahead in bitmap scans only, which Temporal hardly does",
}


def postgresql(settings: Iterable[Setting], cluster: Cluster) -> tuple[Setting, ...]:
    """Return the lines of postgresql.conf with what others would say."""
    host, version = store(cluster).writer, int(cluster.postgres.version)
    found = tuple(settings)
    connections = next((int(float(one.text)) for one in found if one.name == "max_connections"), 200)
    tuned = pgtune.rules(
        host.resources.memory_bytes, host.resources.vcpu, host.resources.disk.kind, connections, version
    )
    known = parameters.postgresql(version)
    return tuple(_with(one, tuned, known) for one in found)


def temporal(services: Mapping[Role, TemporalSettings], version: str) -> dict[Role, TemporalSettings]:
    """Return Temporal's settings with the server's own defaults beside them."""
    return {
        role: replace(one, dynamic=tuple(_with_default(setting, version) for setting in one.dynamic))
        for role, one in services.items()
    }


def kernel(settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """Return kernel settings with the kernel's own defaults beside them."""
    return tuple(replace(one, instead=(*one.instead, *KERNEL.get(one.name, ()))) for one in settings)


def _with(setting: Setting, tuned: Mapping[str, str], known: Mapping[str, parameters.Parameter]) -> Setting:
    others = [("article", ARTICLE), ("pgtune", tuned)]
    said = [(who, values[setting.name]) for who, values in others if setting.name in values]
    default = known[setting.name].default_text if setting.name in known else ""
    said += [("server default", default)] if default else []
    note = setting.note or MATTERS.get(setting.name, "")
    return replace(setting, instead=(*setting.instead, *said), note=note)


def _with_default(setting: Setting, version: str) -> Setting:
    key = dynamic_config.keys(version).get(setting.name.casefold())
    default = SERVER.get(setting.name) or (key.default if key else "")
    return replace(setting, instead=(*setting.instead, ("server default", default))) if default else setting
