"""The settings of others: the article's single host, and the Helm chart's values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.sizing.server import (
    ADDRESS,
    DATABASES,
    FRONTEND,
    PORTS,
    POSTGRESQL_PORT,
    ROLES,
    USER,
    Document,
    Process,
    Server,
    Worker,
)
from tempo_infra.sizing.instead import ARTICLE, ARTICLE_POOLS, ARTICLE_SHARDS

if TYPE_CHECKING:
    from collections.abc import Mapping

ARTICLE_WORKER = Worker(workflow_slots=50, activity_slots=100)
"""The article's slots; it says nothing of pollers and cache."""

HELM_SHARDS, HELM_POOLS = 512, (20, 20)
HELM_METRICS_PORT = 9090
"""charts/temporal/values.yaml of temporalio/helm-charts: server.config.numHistoryShards, maxConns below
server.config.persistence, server.metrics.prometheus; a deployment for each service. It says nothing of
PostgreSQL and leaves dynamic configuration empty."""


def article() -> Server:
    """One process with all services, four shards, lib/pq, three flags of PostgreSQL."""
    config = configuration(ARTICLE_SHARDS, ARTICLE_POOLS)
    return Server((Process(ROLES, config, limits()),), dict(ARTICLE))


def helm() -> Server:
    """One process a service; PostgreSQL as in the article, since the chart brings none."""
    processes = []
    for number, role in enumerate(ROLES):
        config = configuration(HELM_SHARDS, HELM_POOLS)
        listen = f"{ADDRESS}:{HELM_METRICS_PORT + number}"
        config["global"]["metrics"] = {"prometheus": {"timerType": "histogram", "listenAddress": listen}}
        processes.append(Process((role,), config, limits()))
    return Server(tuple(processes), dict(ARTICLE))


def limits() -> Document:
    """The one key without which SQL stores refuse long names; it changes no speed."""
    return {"limit.maxIDLength": [{"value": 255}]}


def configuration(shards: int, pools: tuple[int, int]) -> Document:
    """The server's configuration as its image makes it, with lib/pq."""
    stores = dict(zip(DATABASES, pools, strict=True))
    return {
        "log": {"stdout": True, "level": "info", "format": "json"},
        "persistence": {
            "numHistoryShards": shards,
            "defaultStore": "default",
            "visibilityStore": "visibility",
            "datastores": {
                name: {"sql": _store(database, stores[database])}
                for name, database in zip(("default", "visibility"), stores, strict=True)
            },
        },
        "global": {"membership": {"maxJoinDuration": "30s", "broadcastAddress": ADDRESS}},
        "services": {role: {"rpc": _rpc(role, PORTS)} for role in ROLES},
        "clusterMetadata": {
            "enableGlobalNamespace": False,
            "failoverVersionIncrement": 10,
            "masterClusterName": "active",
            "currentClusterName": "active",
            "clusterInformation": {
                "active": {"enabled": True, "initialFailoverVersion": 1, "rpcAddress": FRONTEND}
            },
        },
        "dcRedirectionPolicy": {"policy": "noop"},
        "publicClient": {"hostPort": FRONTEND},
        "dynamicConfigClient": {"pollInterval": "60s"},
    }


def _rpc(role: str, ports: Mapping[str, tuple[int, int]]) -> Document:
    grpc, membership = ports[role]
    return {"grpcPort": grpc, "membershipPort": membership, "bindOnIP": ADDRESS}


def _store(database: str, connections: int) -> Document:
    return {
        "pluginName": "postgres12",
        "databaseName": database,
        "connectAddr": f"{ADDRESS}:{POSTGRESQL_PORT}",
        "connectProtocol": "tcp",
        "user": USER,
        "maxConns": connections,
        "maxIdleConns": connections,
        "maxConnLifetime": "1h",
    }
