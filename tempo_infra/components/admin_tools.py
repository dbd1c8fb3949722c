"""Jobs with Temporal's own tools: the schema, namespaces."""

from __future__ import annotations

from tempo_infra.components.component import LOGIN, Component, ConfigFile, Memory

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
    reads=(LOGIN,),
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
COMPONENTS = (SCHEMA, ADMIN_TOOLS)
