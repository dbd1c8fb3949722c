"""Storage parameters of tables: plain words, each table once, safe to run again."""

from __future__ import annotations

import re

from tempo_infra.sizing.tables import PLANS, statements, table_settings
from tests.unit.sizing.clusters import ALL, cluster, host, solo


def test_each_table_stands_there_once() -> None:
    names = [(one.database, one.table) for one in table_settings(solo())]
    assert len(names) == len(set(names)) == 12


def test_queues_are_vacuumed_by_count_and_tables_by_share() -> None:
    by_name = {one.table: dict(one.values) for one in table_settings(solo())}
    assert by_name["transfer_tasks"] == {
        "autovacuum_vacuum_scale_factor": "0",
        "autovacuum_vacuum_threshold": "20000",
    }
    assert by_name["executions"] == {"fillfactor": "70", "autovacuum_vacuum_scale_factor": "0.05"}
    slow = table_settings(cluster(host("h", *ALL, memory_gib=8, kind="hdd")))
    assert {dict(one.values).get("autovacuum_vacuum_threshold") for one in slow} == {None, "40000"}


PLAIN = re.compile(
    r"SELECT 'ALTER TABLE public\.(?P<table>[a-z_0-9]+)"
    r" SET \((?P<pairs>[a-z_]+ = [0-9.]+(, [a-z_]+ = [0-9.]+)*)\)'"
    r" FROM pg_class WHERE oid = to_regclass\('public\.(?P=table)'\) AND relkind = 'r'"
    r" AND NOT coalesce\(reloptions, '\{\}'\) @> array\[(?P<wanted>[^]]+)\] \\gexec"
)


def test_the_sql_is_plain_and_changes_what_differs_only() -> None:
    found = statements(solo())
    assert set(found) == {"temporal", "temporal_visibility", "postgres"}
    for database, text in found.items():
        assert text.endswith(PLANS[database])
        for line in text.removesuffix(PLANS[database]).splitlines():
            told = PLAIN.fullmatch(line)
            assert told is not None, line
            assert told["wanted"] == ", ".join(
                f"'{one.replace(' ', '')}'" for one in told["pairs"].split(", ")
            )


def test_roles_are_changed_in_the_superusers_database_alone() -> None:
    """Elsewhere a role that owns nothing else asks and changes; it may not, and must not need to."""
    for database, text in statements(solo()).items():
        assert ("ROLE " in text) == (database == "postgres")
