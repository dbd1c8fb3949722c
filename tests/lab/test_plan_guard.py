"""A prepared join of Temporal's reads one run of a workflow id, however many there are.

Statement and data as in https://github.com/temporalio/temporal/issues/12097, schema and server as deployed.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from lab import golang
from lab.paths import Home
from tempo_infra.inventory.load import load
from tempo_infra.inventory.scaffold import example
from tempo_infra.sizing.tables import MAIN, ROLES, statements
from tests.lab.test_trial_starts import conf_of, image, started

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["image"]
pytestmark = pytest.mark.lab
DATA = """
insert into executions
select 1, 'n'::bytea, 'once-' || g, decode(md5(g::text), 'hex'), 1, 0, 'x'::bytea, 'p', 'x'::bytea, 'p'
from generate_series(1, 100000) g
union all
select 1, 'n'::bytea, 'nightly', decode(md5((-g)::text), 'hex'), 1, 0, 'x'::bytea, 'p', 'x'::bytea, 'p'
from generate_series(1, 30000) g;
insert into current_executions
  (shard_id, namespace_id, workflow_id, run_id, create_request_id, state, status, last_write_version)
select 1, 'n'::bytea, 'once-' || g, decode(md5(g::text), 'hex'), 'c', 1, 1, 0
from generate_series(1, 100000) g
union all
select 1, 'n'::bytea, 'nightly', decode(md5('-30000'), 'hex'), 'c', 1, 1, 0;
analyze;
alter role temporal set plan_cache_mode = force_custom_plan;
"""
JOIN = """
set plan_cache_mode = force_generic_plan;
prepare lookup(int, bytea, text) as
select ce.run_id, e.last_write_version from current_executions ce
inner join executions e on e.shard_id = ce.shard_id and e.namespace_id = ce.namespace_id
  and e.workflow_id = ce.workflow_id and e.run_id = ce.run_id
where ce.shard_id = $1 and ce.namespace_id = $2 and ce.workflow_id = $3 for update;
explain (analyze, timing off, format json) execute lookup(1, 'n', 'nightly');
"""


def psql(container: str, sql: str) -> str:
    words = ["docker", "exec", "-i", "-u", "postgres", container, "psql", "-XqAt", "-v", "ON_ERROR_STOP=1"]
    done = subprocess.run(
        [*words, "-d", MAIN, "-f", "-"], input=sql, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows_of_executions(container: str) -> int:
    """How many rows of `executions` the forced generic plan reads to find one run."""
    lock = json.loads(psql(container, JOIN))[0]["Plan"]
    nested = lock["Plans"][0]
    scan = next(plan for plan in nested["Plans"] if plan.get("Relation Name") == "executions")
    return int(scan["Actual Rows"]) + int(scan.get("Rows Removed by Filter", 0))


def test_a_generic_plan_reads_one_run_of_a_workflow_id(image: str, tmp_path: Path) -> None:
    cluster = load(example("single.yaml"))
    schema = golang.folder(Home.locate(), golang.SERVER) / "schema/postgresql/v12/temporal/schema.sql"
    conf = tmp_path / "postgresql.conf"
    conf.write_text(conf_of(cluster))
    conf.chmod(0o644)
    with started(image, conf) as container:
        subprocess.run(
            ["docker", "exec", "-u", "postgres", container, "createdb", MAIN], check=True, timeout=60
        )
        psql(container, "create role temporal login;" + schema.read_text() + DATA)
        assert rows_of_executions(container) > 1000  # the trap is there
        psql(container, statements(cluster)[MAIN])
        psql(container, statements(cluster)[ROLES])
        assert rows_of_executions(container) == 1
        kept = psql(container, "select rolconfig from pg_roles where rolname = 'temporal'")
        assert kept.strip() == "", "the guard that planned each statement anew is gone"
        psql(container, statements(cluster)[MAIN])  # and again
