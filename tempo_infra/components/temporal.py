"""Temporal's four services: one server, started with one of them each."""

from __future__ import annotations

from tempo_infra.components.component import LOGIN, Component, ConfigFile, Grpc, Memory, Port, Reach

TEMPORAL_FILES = (
    ConfigFile("server.yaml", "yaml", "restarts {service}"),
    ConfigFile("dynamic.yaml", "yaml", "restarts {service}", reloaded=True),
)


def _temporal(  # noqa: PLR0913  # the columns in which the four differ
    name: str,
    memory: Memory,
    *ports: Port,
    service: str,
    restart: str,
    alone: str,
    vcpu_share: float = 1.0,
    needs: tuple[str, ...] = (),
) -> Component:
    return Component(
        name=name,
        kind="temporal",
        role=name,
        image="temporalio/server:{temporal}",
        user="temporal",
        memory=memory,
        pids=1024,
        stop_grace_s=60,
        vcpu_share=vcpu_share,
        ports=ports,
        files=TEMPORAL_FILES,
        templates="temporal",
        reads=(LOGIN,),
        health=Grpc(f"temporal.api.workflowservice.v1.{service}"),
        needs=("postgresql", *needs),
        least=1,
        restart=restart,
        alone=alone,
    )


def _own(grpc: int, membership: int, metrics: int, reach: Reach = Reach.MEMBERS) -> tuple[Port, ...]:
    """Return the ports that each of Temporal's services has."""
    return (
        Port("grpc", grpc, reach),
        Port("membership", membership, Reach.MEMBERS),
        Port("metrics", metrics, Reach.OWN_HOST),
    )


HISTORY = _temporal(
    "history",
    Memory(320, 8, leans="io"),
    *_own(7234, 6934, 9234),
    service="HistoryService",
    restart="its shards move to others, or their workflows wait",
    alone="the only one: workflows wait",
)
MATCHING = _temporal(
    "matching",
    Memory(160, 4, leans="cpu"),
    *_own(7235, 6935, 9235),
    service="MatchingService",
    restart="its task queues are reloaded",
    alone="the only one: tasks wait",
)
WORKER = _temporal(
    "worker",
    Memory(160, 2),
    *_own(7239, 6939, 9239),
    service="WorkerService",
    restart="the cluster's own workflows pause",
    alone="the only one: Temporal's own background work waits",
    vcpu_share=0.5,
    needs=("history", "matching", "frontend"),  # it runs workflows of its own
)
FRONTEND = _temporal(
    "frontend",
    Memory(192, 4, leans="cpu"),
    *_own(7233, 6933, 9233, Reach.CLIENTS),
    Port("http", 7243, Reach.CLIENTS, option="http_api"),
    service="WorkflowService",
    restart="clients and workers connect again",
    alone="the only one: clients and workers can't reach the cluster, they retry",
)
COMPONENTS = (HISTORY, MATCHING, WORKER, FRONTEND)
