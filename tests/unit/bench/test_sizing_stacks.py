"""What the sizing bench starts: ours as rendered, the others as published, and that each change is one."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from bench.sizing import changes
from bench.sizing.others import ARTICLE_WORKER, article, helm
from bench.sizing.ours import Shape, our_worker, ours
from bench.sizing.postgres import SHIM, SHIM_READS
from bench.sizing.results import fingerprint
from bench.sizing.server import ROLES, Server, Stack
from tempo_infra.sizing.workers import POLLERS

SHAPE = Shape(vcpu=2, memory_gib=8, disk_gib=80, postgresql="15")


def full() -> Stack:
    return Stack("ours", ours(SHAPE, eager=True), our_worker(2))


def text(server: Server) -> str:
    return json.dumps(asdict(server))


def test_ours_is_one_process_a_role_as_deployed_and_bound_to_this_machine() -> None:
    server = ours(SHAPE, eager=False)
    assert tuple(process.services for process in server.processes) == tuple((role,) for role in ROLES)
    for process in server.processes:
        rpc = [service["rpc"]["bindOnIP"] for service in process.config["services"].values()]
        assert set(rpc) == {"127.0.0.1"}
        stores = process.config["persistence"]["datastores"].values()
        assert {store["sql"]["connectAddr"] for store in stores} == {"127.0.0.1:15432"}
        assert process.env["GOMEMLIMIT"].endswith("MiB")
        assert {store["sql"]["user"] for store in stores} == {"temporal"}
    assert "10.0.0.10" not in text(server)
    assert "/run/secrets" not in text(server)


def test_ours_takes_its_numbers_from_the_rendered_files() -> None:
    small, large = ours(SHAPE, eager=True), ours(replace(SHAPE, memory_gib=32), eager=True)
    assert small.postgresql["shared_buffers"] != large.postgresql["shared_buffers"]
    assert "port" not in small.postgresql
    assert "n_distinct" in small.sql["temporal"]
    assert small.checksums


def test_eager_activities_are_there_only_when_chosen() -> None:
    assert "enableActivityEagerExecution" in text(ours(SHAPE, eager=True))
    assert "enableActivityEagerExecution" not in text(ours(SHAPE, eager=False))


def test_the_others_are_what_they_publish() -> None:
    (process,) = article().processes
    assert process.services == ROLES
    assert process.config["persistence"]["numHistoryShards"] == 4
    stores = process.config["persistence"]["datastores"]
    assert [store["sql"]["maxConns"] for store in stores.values()] == [20, 10]
    assert {store["sql"]["pluginName"] for store in stores.values()} == {"postgres12"}
    assert article().postgresql == {
        "max_connections": "200",
        "shared_buffers": "2GB",
        "effective_cache_size": "6GB",
    }
    chart = helm().processes
    assert len(chart) == 4
    assert {one.config["persistence"]["numHistoryShards"] for one in chart} == {512}
    assert len({one.config["global"]["metrics"]["prometheus"]["listenAddress"] for one in chart}) == 4


def test_the_worker_is_started_as_worker_options_says() -> None:
    assert f"--workflow-pollers={POLLERS}" in our_worker(2).words
    assert "--workflow-pollers=0" in ARTICLE_WORKER.words


@pytest.mark.parametrize("name", changes.CHANGES)
def test_a_change_changes_something_and_leaves_ours_alone(name: str) -> None:
    stack = full()
    before = fingerprint(stack, "here")
    changed = changes.CHANGES[name](stack)
    assert fingerprint(changed, "here") != before
    assert fingerprint(stack, "here") == before


def test_one_process_keeps_every_key_and_the_memory_of_all() -> None:
    stack = full()
    (one,) = changes.CHANGES["one process"](stack).server.processes
    assert one.services == ROLES
    assert {name for process in stack.server.processes for name in process.dynamic} == set(one.dynamic)
    whole = sum(int(process.env["GOMEMLIMIT"].removesuffix("MiB")) for process in stack.server.processes)
    assert one.env["GOMEMLIMIT"] == f"{whole}MiB"


def test_bare_tables_keep_the_guard_of_plans() -> None:
    bare = changes.CHANGES["no storage parameters"](full()).server.sql
    assert "fillfactor" not in bare["temporal"]
    assert "autovacuum" not in bare["temporal"] + bare["temporal_visibility"]
    assert "n_distinct" in bare["temporal"]


def test_the_lab_s_shim_can_be_told_by_another_file() -> None:
    assert SHIM_READS in SHIM.read_text()
