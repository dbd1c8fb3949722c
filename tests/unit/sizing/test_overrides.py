"""What the operator sets: judged, put in, shown where it stands; what loses data is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory import dynamic_config
from tempo_infra.inventory.cluster import Cluster
from tempo_infra.inventory.dynamic_config import DynamicKey
from tempo_infra.render import render
from tempo_infra.sizing import hosts, size
from tests.unit.inventory.texts import cluster as loaded

HOSTS = "hosts:"
ON_HOST = "resources: {vcpu: 4"


def everywhere(text: str, accept: str = "") -> Cluster:
    """A cluster whose inventory says `overrides: {...}` on its eleventh line."""
    return loaded((HOSTS, f"accept: [{accept}]\noverrides: {text}\n{HOSTS}"))


def test_losing_acknowledged_steps_is_shown_where_it_is_accepted() -> None:
    sized = size(everywhere("{postgresql: {synchronous_commit: off}}", accept="synchronous-commit-off"))
    assert len(sized.risks) == 1
    assert sized.risks[0].startswith("synchronous-commit-off: steps that Temporal was told")
    assert size(everywhere("{}", accept="synchronous-commit-off")).risks == ()


def test_own_templates_get_no_such_archive_either(tmp_path: Path) -> None:
    own = tmp_path / "templates/services/postgresql"
    own.mkdir(parents=True)
    (own / "postgresql.conf.j2").write_text("archive_command = '/bin/true'\n")
    one = everywhere("{}")
    with pytest.raises(InputError, match="archive_command = /bin/true is refused: it throws the log away"):
        render(replace(one, path=tmp_path / "inventory.yaml"), size(one))


def test_a_real_archive_is_a_risk_that_is_shown() -> None:
    text = '{postgresql: {archive_mode: on, archive_command: "cp %p /archive/%f"}}'
    with pytest.raises(
        InputError, match=r"archive_command: can run programs.*accept: \[commands-and-exports\]"
    ):
        everywhere(text)
    one = everywhere(text, accept="commands-and-exports")
    (risk,) = size(one).risks
    assert risk.startswith("commands-and-exports: archive_command = cp %p /archive/%f can run programs")
    assert risk.endswith("(folder/test.yaml:11:61)")
    assert size(everywhere("{}", accept="commands-and-exports")).risks == ()
    assert size(one).host("one").setting("archive_mode") is not None


@pytest.mark.parametrize(
    ("lines", "full"),
    [
        ("archive_mode: on", True),
        ("ARCHIVE_mode: always", True),
        ("archive_mode: yes", True),
        ("archive_mode: off", False),
        ("archive_mode: on, archive_command: cp %p /x/%f", False),
        ("archive_mode: on, archive_library: basic_archive", False),
        ("archive_command: cp %p /x/%f", False),
    ],
)
def test_an_archive_that_nobody_makes_keeps_the_log_until_the_disk_is_full(lines: str, *, full: bool) -> None:
    text = f"{{postgresql: {{{lines}}}}}"
    if not full:
        size(everywhere(text, accept="commands-and-exports"))
        return
    with pytest.raises(InputError, match=r"(?i)test\.yaml:11:.*archive_mode: keeps the whole log until"):
        size(everywhere(text, accept="commands-and-exports"))


def test_where_others_are_told_to_call_is_a_risk_that_is_shown() -> None:
    text = "{temporal: {Component.nexusoperations.callback.endpoint.template: 'https://elsewhere.example/'}}"
    with pytest.raises(InputError, match=r"template: can run programs.*accept: \[commands-and-exports\]"):
        everywhere(text)
    (risk,) = size(everywhere(text, accept="commands-and-exports")).risks
    assert "callback.endpoint.template = https://elsewhere.example/ can run programs, load code, or" in risk


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{temporal: {system.enableCrossNamespaceCommands: true}}", "system.enableCrossNamespaceCommands"),
        ("{temporal: {FRONTEND.enableTokenNamespaceEnforcement: false}}", "enableTokenNamespaceEnforcement"),
        ("{postgresql: {lo_compat_privileges: on}}", "lo_compat_privileges"),
    ],
)
def test_what_lets_callers_do_more_has_to_be_accepted_and_is_shown(text: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"{said}: lets callers do or see more.*accept: \[own-access\]"):
        everywhere(text)
    (risk,) = size(everywhere(text, accept="own-access")).risks
    assert risk.startswith("own-access: ")
    assert f"{said} = " in risk
    assert size(everywhere("{}", accept="own-access")).risks == ()


def test_a_hosts_own_value_comes_before_the_clusters() -> None:
    one = loaded(
        (HOSTS, f"overrides: {{postgresql: {{work_mem: 16MB}}, sysctl: {{vm.swappiness: 5}}}}\n{HOSTS}"),
        (ON_HOST, f"overrides: {{postgresql: {{work_mem: 32MB}}}}\n    {ON_HOST}"),
    )
    sized = size(one).host("one")
    found = sized.setting("work_mem")
    assert found is not None
    assert found.text == "32MB"
    assert found.reason == "set in the inventory instead of 4MB: Temporal's statements sort little"
    assert found.instead[0] == ("sized", "4MB")
    assert found.written.startswith("folder/test.yaml:17:")
    assert {s.name: s.value for s in sized.sysctl}["vm.swappiness"] == 5


def test_overrides_reach_their_files_and_no_path_does() -> None:
    one = everywhere(
        "{postgresql: {work_mem: 16MB, vacuum_cost_delay: 2ms}, temporal: {history.rps: 2000,"
        " system.enableActivityEagerExecution: true}, pools: {history: 24}, memory: {history: 1GiB}}"
    )
    files = {f.logical: f.content.decode() for f in render(one, size(one))[0].files}
    conf = files["services/postgresql/postgresql.conf"]
    assert "\nwork_mem = 16MB\n" in conf
    assert "\nvacuum_cost_delay = 2ms\n" in conf
    assert "history.rps:\n  - value: 2000\n" in files["services/history/dynamic.yaml"]
    assert "history.rps" not in files["services/frontend/dynamic.yaml"]
    assert "enableActivityEagerExecution:\n  - value: true\n" in files["services/history/dynamic.yaml"]
    assert "enableActivityEagerExecution" not in files["services/frontend/dynamic.yaml"]
    assert "maxConns: 24\n" in files["services/history/server.yaml"]
    assert "mem_limit: 1024m\n" in files["docker-compose.yml"].replace('"', "")
    assert not any("test.yaml" in text for text in files.values())


def test_max_connections_follow_the_operators_pools() -> None:
    sized = size(everywhere("{pools: {history: 60}}"))
    assert sized.max_connections.value == 180
    assert sized.max_connections.reason == (
        "4 Temporal services: 120 + 4 x 10 + tools 10 + reserved 3, rounded up"
    )


def some_value(key: DynamicKey) -> str:
    return {"bool": "true", "int": "7", "float": "0.5", "duration": "7s", "string": "seven"}[key.kind]


@pytest.mark.parametrize("version", dynamic_config.versions())
def test_every_key_reaches_every_service_that_reads_it_and_no_other(version: str) -> None:
    """Whatever its first word is: the files of each service, against the table of readers."""
    scalar = [key for key in dynamic_config.keys(version).values() if key.kind not in {"map", "typed"}]
    wanted = {key.name: key.readers for key in scalar if key.readers and not key.name.startswith("worker.ES")}
    wanted.pop("worker.indexerConcurrency")
    text = ", ".join(f"{name}: {some_value(dynamic_config.key(version, name))}" for name in wanted)
    old = (HOSTS, f"accept: [commands-and-exports, own-access]\noverrides: {{temporal: {{{text}}}}}\n{HOSTS}")
    one = loaded(old, ("version: 1.31.2", f"version: {version}"))
    found: dict[str, set[str]] = {}
    for sized in hosts.compute(one).hosts:
        for role, service in sized.temporal.items():
            for setting in service.dynamic:
                if setting.written:
                    found.setdefault(setting.name, set()).add(role.value)
    assert len(wanted) > 560
    assert found == wanted


def test_a_key_in_other_letters_takes_the_sized_values_place() -> None:
    one = everywhere("{temporal: {FRONTEND.namespacerps: 77}, postgresql: {Work_Mem: 16MB}}")
    files = {f.logical: f.content.decode() for f in render(one, size(one))[0].files}
    assert "frontend.namespaceRPS:\n  - value: 77\n" in files["services/frontend/dynamic.yaml"]
    assert "namespacerps" not in files["services/frontend/dynamic.yaml"]
    assert "\nwork_mem = 16MB\n" in files["services/postgresql/postgresql.conf"]


def test_a_key_that_nobody_has_looked_at_goes_to_all_and_is_a_risk() -> None:
    newer = ("version: 1.31.2", "version: 1.33.0")
    one = loaded(
        (HOSTS, f"overrides: {{temporal: {{history.ofTomorrow: 1, history.rps: 2}}}}\n{HOSTS}"), newer
    )
    sized = size(one)
    assert [risk.split(":")[0] for risk in sized.risks if "ofTomorrow" in risk] == ["unknown-key"]
    assert not any("history.rps" in risk for risk in sized.risks)
    for role, service in sized.host("one").temporal.items():
        names = {setting.name for setting in service.dynamic}
        assert ("history.ofTomorrow" in names, "history.rps" in names) == (True, role == "history")


def test_parameters_of_a_library_reach_the_file() -> None:
    one = everywhere(
        "{postgresql: {shared_preload_libraries: pg_stat_statements, pg_stat_statements.max: 9000}}"
    )
    conf = next(
        f.content.decode() for f in render(one, size(one))[0].files if f.path.endswith("postgresql.conf")
    )
    assert "\npg_stat_statements.max = 9000\n" in conf


@pytest.mark.parametrize("drain", ["90", "90s", "1.5m", "1m30s"])
def test_a_budget_reads_a_duration_as_the_server_does(drain: str) -> None:
    one = everywhere(f"{{temporal: {{history.shutdownDrainDuration: {drain}}}}}")
    with pytest.raises(InputError, match=r'budget "drain" is over by 40 s') as caught:
        size(one)
    assert "history.shutdownDrainDuration: 50s" in str(caught.value)
