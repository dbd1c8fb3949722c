"""What the operator sets is judged while the inventory is read: with every other error, at its place."""

from __future__ import annotations

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Cluster
from tempo_infra.inventory.overrides import LOSES
from tests.unit.inventory.texts import cluster as loaded

HOSTS = "hosts:"
SECOND = """
  two:
    address: 203.0.113.12
    internal: 10.0.0.12
    class: C-Series
    roles: [%s]
    resources: {vcpu: 4, memory: 8GiB, disk: {kind: ssd, size: 80GiB}}
    overrides:
      %s
"""


def everywhere(text: str, accept: str = "", *others: tuple[str, str]) -> Cluster:
    """A cluster whose inventory says `overrides: {...}` on its eleventh line."""
    return loaded((HOSTS, f"accept: [{accept}]\noverrides: {text}\n{HOSTS}"), *others)


def on_second(roles: str, text: str) -> Cluster:
    end = "size: 80GiB}}\n"
    return loaded((end, end.rstrip() + SECOND % (roles, text)))


def refusal(text: str, accept: str = "", *others: tuple[str, str]) -> str:
    with pytest.raises(InputError) as caught:
        everywhere(text, accept, *others)
    return str(caught.value)


@pytest.mark.parametrize(("name", "value"), [(name, next(iter(words))) for name, (words, _) in LOSES.items()])
def test_what_loses_data_is_refused_whatever_is_accepted(name: str, value: str) -> None:
    said = refusal(f"{{postgresql: {{{name}: {value}}}}}", accept="synchronous-commit-off")
    assert said.startswith(f"folder/test.yaml:11:{28 + len(name)}: overrides.postgresql.{name}: ")
    assert f"{value} is refused: " in said


@pytest.mark.parametrize("value", ["off", '"OFF"', "no", "false", "0", "f", "of", "n"])
@pytest.mark.parametrize("name", ["fsync", "FSYNC", "Fsync"])
def test_every_way_to_write_off_is_seen(name: str, value: str) -> None:
    assert "off is refused: a crash of the host" in refusal(f"{{postgresql: {{{name}: {value}}}}}")


def test_losing_acknowledged_steps_has_to_be_accepted() -> None:
    assert "accept: [synchronous-commit-off]" in refusal("{postgresql: {synchronous_commit: off}}")


@pytest.mark.parametrize("command", ["/bin/true", '"true"', '""', '": %p"', '"exit 0"'])
def test_an_archive_that_keeps_nothing_is_refused(command: str) -> None:
    """Wherever archive_mode is switched on: here, on the host, or later by hand."""
    assert "throws the log away" in refusal(f"{{postgresql: {{archive_command: {command}}}}}")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "{postgresql: {work_memm: 4MB}}",
            'PostgreSQL 17 knows no such parameter (did you mean "work_mem"?)',
        ),
        ("{postgresql: {port: 5433}}", "can't be set: other files depend on it"),
        ("{postgresql: {Port: 5433}}", "can't be set: other files depend on it"),
        (
            "{postgresql: {pg_stat_statements.max: 1000}}",
            "has no effect: no library pg_stat_statements is loaded; name it in shared_preload_libraries",
        ),
        (
            "{postgresql: {shared_preload_libraries: auto_explain, pg_stat_statements.max: 1000}}",
            "has no effect: no library pg_stat_statements is loaded",
        ),
        ("{sysctl: {kernel.panic: 1}}", "is not a kernel setting that can be set here"),
        ("{sysctl: {vm.swappiness: 300}}", "must be between 0 and 200"),
        ("{sysctl: {vm.swappiness: low}}", "must be a whole number"),
        ("{sysctl: {vm.max_map_count: \u0667\u0667\u0667\u0667\u0667\u0667}}", "must be a whole number"),
        ('{sysctl: {net.ipv4.ip_local_port_range: "32768"}}', "must be two whole numbers"),
        ("{temporal: {history.rpz: 1}}", "Temporal 1.31.2 knows no such key of dynamic configuration (did"),
        ("{temporal: {limit.maxIDLength: 1000}}", "must be at most 255: the columns hold no more"),
        ("{temporal: {limit.maxidlength: 1000}}", "must be at most 255: the columns hold no more"),
        (
            "{temporal: {worker.perNamespaceWorkerOptions: {MaxConcurrentActivityTaskPollers: 2}}}",
            "is more than one value: write it in an own template of services/temporal/dynamic.yaml.j2",
        ),
        ("{temporal: {history.rps: [1, 2]}}", "is more than one value: write it in an own template"),
        ("{temporal: {worker.perNamespaceWorkerOptions: 2}}", "is more than one value: write it in an own"),
        ("{postgresql: {work_mem: [4MB]}}", "must be one value: text, a number, true or false"),
        ("{temporal: {frontend.ListWorkersEnabled: true}}", "no service of Temporal 1.31.2 reads it"),
        ("{temporal: {worker.ESProcessorNumOfWorkers: 2}}", "only a visibility store in Elasticsearch"),
        ("{temporal: {activity.startDelayEnabled: true}}", "Temporal 1.31.2 knows no such key"),
    ],
)
def test_unknown_or_impossible_values_are_refused(text: str, what: str) -> None:
    said = refusal(text)
    assert what in said
    assert said.endswith("1 error; nothing was contacted")


@pytest.mark.parametrize(
    "text",
    [
        (
            '{postgresql: {shared_preload_libraries: "pg_stat_statements, auto_explain", '
            "pg_stat_statements.track: all, pg_stat_statements.max: 9000, auto_explain.log_format: json}}"
        ),
        "{postgresql: {session_preload_libraries: auto_explain, auto_explain.log_analyze: on}}",
        "{postgresql: {shared_preload_libraries: '$libdir/pg_cron.so', cron.database_name: temporal}}",
        "{postgresql: {plpgsql.extra_warnings: all}}",
        "{postgresql: {Work_Mem: 16MB, WAL_LEVEL: Logical, jit: t}}",
        "{postgresql: {random_page_cost: 1.1e0, vacuum_cost_delay: .5ms}}",
        "{temporal: {matching.enableFairness: true, matching.useNewMatcher: false}}",
        "{temporal: {matching.spreadRoutingBatchSize: 2}}",
        "{temporal: {frontend.namespacerps: 100, MATCHING.RPS: 5}}",
        "{temporal: {worker.executionDataDurationBuffer: 60d, history.shutdownDrainDuration: 20}}",
        '{temporal: {frontend.shutdownDrainDuration: "7.5", matching.shutdownDrainDuration: 1h30m.5s}}',
        '{temporal: {frontend.enableSchedules: "False"}}',
        "{temporal: {nexusoperation.useNewFailureWireFormat: false, scheduler.serviceCallTimeout: 3s}}",
    ],
)
def test_what_the_servers_take_is_taken(text: str) -> None:
    everywhere(text, "commands-and-exports")


def test_a_key_is_known_from_its_version_on() -> None:
    newer = ("version: 1.31.2", "version: 1.32.0")
    everywhere("{temporal: {activity.startDelayEnabled: true}}", "", newer)
    assert "Temporal 1.32.0 knows no such key" in refusal(
        "{temporal: {matching.enableMigration: true}}", "", newer
    )


def test_all_errors_are_said_at_once_whoever_finds_them() -> None:
    said = refusal(
        "{postgresql: {fsync: off, nonsense: 1, work_mem: [1]}, sysctl: {vm.swappiness: x},"
        " temporal: {history.rpz: 1, matching.rps: {a: 1}}, memory: {schema: lots}}",
        "nothing",
        ("country: NO", "country: Norway"),
    )
    for where in (
        "country:",
        "accept[0]:",
        "postgresql.fsync:",
        "postgresql.nonsense:",
        "postgresql.work_mem:",
        "sysctl.vm.swappiness:",
        "temporal.history.rpz:",
        "temporal.matching.rps:",
        "memory.schema:",
    ):
        assert where in said
    assert said.endswith("9 errors; nothing was contacted")


@pytest.mark.parametrize("version", ["temporal: {}", "temporal: 1"])
def test_a_version_that_can_not_be_read_is_the_only_error_about_it(version: str) -> None:
    old = "temporal:\n  version: 1.31.2\n  ui: 2.50.1\n  shards: 512\n"
    said = refusal("{temporal: {history.rps: 1, history.rpz: 1}}", "", (old, f"{version}\n"))
    assert "history.rp" not in said


def test_one_setting_under_two_spellings_is_refused() -> None:
    said = refusal("{temporal: {history.rps: 1, History.RPS: 2}, postgresql: {jit: on, JIT: off}}")
    assert "overrides.temporal.History.RPS: is history.rps, which is here already (line 11)" in said
    assert "overrides.postgresql.JIT: is jit, which is here already (line 11)" in said


def test_a_host_is_told_only_what_it_runs() -> None:
    text = (
        "{postgresql: {jit: on}, temporal: {history.rps: 1}, pools: {history: 5}, "
        "memory: {history: 1GiB, schema: 64MiB, admin-tools: 64MiB}}"
    )
    with pytest.raises(InputError) as caught:
        on_second("ui", text)
    said = str(caught.value)
    assert "two has no role postgresql" in said
    assert "two runs no Temporal service" in said
    assert "two has no role history" in said
    assert "two runs no history" in said
    assert "two runs no schema" in said
    assert "two runs no admin-tools" in said
    assert said.endswith("6 errors; nothing was contacted")


def test_each_host_with_a_frontend_has_the_command_line() -> None:
    on_second("frontend", "{memory: {admin-tools: 192MiB}}")


def test_a_host_is_told_only_what_its_services_read() -> None:
    """By who reads it, not by its first word."""
    on_second("history", "{temporal: {frontend.searchAttributesNumberOfKeysLimit: 200}}")
    on_second("worker", "{temporal: {matching.maxVersionsInDeployment: 200}}")
    with pytest.raises(InputError) as caught:
        on_second("history", "{temporal: {matching.maxVersionsInDeployment: 200}}")
    assert "has no effect: two runs nothing that reads it (frontend and matching and worker)" in str(
        caught.value
    )
