"""What each service is: the one table that ports, limits, files, readers and order are read off.

The order of the rows is the order in which services start; jobs come last.
"""

from __future__ import annotations

from tempo_infra.components.component import (
    Component,
    ConfigFile,
    Grpc,
    Http,
    Memory,
    Port,
    Postgres,
    Reach,
)

DB_PASSWORD = "db_password"  # noqa: S105  # a file's name, in the folder of each login
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
        reads=(DB_PASSWORD,),
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


# The floors carry a small cluster. Measured with 512 shards, everything on one host of 2 GiB, 50 clients that
# wait for one workflow each: PostgreSQL 194, history 191, the others 30 to 46 MiB; nothing was killed.
POSTGRESQL = Component(
    name="postgresql",
    kind="postgresql",
    role="postgresql",
    image="postgres:{postgres}",
    user="postgresql",
    memory=Memory(384, 16, leans="memory"),
    pids=0,  # they follow max_connections
    stop_grace_s=120,
    go=False,
    ports=(Port("sql", 5432, Reach.MEMBERS),),
    files=(
        ConfigFile("postgresql.conf", "pgconf", "restarts postgresql", reloaded=True),
        ConfigFile("pg_hba.conf", "hba", "restarts postgresql", reloaded=True),
        ConfigFile("pg_ident.conf", "ident", "restarts postgresql", reloaded=True),
    ),
    health=Postgres(),
    least=1,
    most=1,
    restart="no database meanwhile: every service waits, and tries again",
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
UI = Component(
    name="ui",
    kind="ui",
    role="ui",
    image="temporalio/ui:{ui}",
    user="ui",
    memory=Memory(80),
    pids=256,
    stop_grace_s=10,
    vcpu_share=0.25,
    ports=(Port("http", 8080, Reach.OPERATORS),),
    health=Http(),
    needs=("frontend",),
    asks=("frontend",),
    binds=False,
    restart="the web page is away",
)
SCHEMA = Component(
    name="schema",
    kind="job",
    role="postgresql",
    image="temporalio/admin-tools:{temporal}",
    user="temporal",
    memory=Memory(64),
    pids=128,
    stop_grace_s=10,
    files=(ConfigFile("migrate.sh", "sh", "nothing until the next schema job"),),
    reads=(DB_PASSWORD,),
    needs=("postgresql",),
    asks=("postgresql",),
)
ADMIN_TOOLS = Component(
    name="admin-tools",
    kind="job",
    role="frontend",
    image="temporalio/admin-tools:{temporal}",
    user="ui",
    memory=Memory(128),
    pids=128,
    stop_grace_s=10,
    needs=("frontend",),
    asks=("frontend",),
)

COMPONENTS = (POSTGRESQL, HISTORY, MATCHING, WORKER, FRONTEND, UI, SCHEMA, ADMIN_TOOLS)
