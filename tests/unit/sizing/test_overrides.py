"""What the operator sets: judged, put in, shown where it stands; what loses data is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Cluster
from tempo_infra.render import render
from tempo_infra.sizing import size
from tempo_infra.sizing.overrides import LOSES
from tests.unit.inventory.texts import cluster as loaded

HOSTS = "hosts:"
ON_HOST = "resources: {vcpu: 4"


def everywhere(text: str, accept: str = "") -> Cluster:
    """A cluster whose inventory says `overrides: {...}` on its eleventh line."""
    return loaded((HOSTS, f"accept: [{accept}]\noverrides: {text}\n{HOSTS}"))


def refusal(one: Cluster) -> str:
    with pytest.raises(InputError) as caught:
        size(one)
    return str(caught.value)


@pytest.mark.parametrize(("name", "value"), [(name, next(iter(words))) for name, (words, _) in LOSES.items()])
def test_what_loses_data_is_refused_whatever_is_accepted(name: str, value: str) -> None:
    said = refusal(everywhere(f"{{postgresql: {{{name}: {value}}}}}", accept="synchronous-commit-off"))
    assert said.startswith(f"folder/test.yaml:11:{28 + len(name)}: overrides.postgresql.{name}: ")
    assert f"{value} is refused: " in said


@pytest.mark.parametrize("value", ["off", '"OFF"', "no", "false", "0"])
def test_every_way_to_write_off_is_seen(value: str) -> None:
    assert "off is refused: a crash of the host" in refusal(everywhere(f"{{postgresql: {{fsync: {value}}}}}"))


def test_losing_acknowledged_steps_has_to_be_accepted_and_is_shown() -> None:
    text = "{postgresql: {synchronous_commit: off}}"
    assert "accept: [synchronous-commit-off]" in refusal(everywhere(text))
    sized = size(everywhere(text, accept="synchronous-commit-off"))
    assert len(sized.risks) == 1
    assert sized.risks[0].startswith("synchronous-commit-off: steps that Temporal was told")
    assert size(everywhere("{}", accept="synchronous-commit-off")).risks == ()


@pytest.mark.parametrize("command", ["/bin/true", '"true"', '""', '": %p"', '"exit 0"'])
def test_an_archive_that_keeps_nothing_is_refused(command: str) -> None:
    """Wherever archive_mode is switched on: here, on the host, or later by hand."""
    one = everywhere(f"{{postgresql: {{archive_command: {command}}}}}")
    assert "throws the log away" in refusal(one)


def test_own_templates_get_no_such_archive_either(tmp_path: Path) -> None:
    own = tmp_path / "templates/services/postgresql"
    own.mkdir(parents=True)
    (own / "postgresql.conf.j2").write_text("archive_command = '/bin/true'\n")
    one = everywhere("{}")
    with pytest.raises(InputError, match="archive_command = /bin/true is refused: it throws the log away"):
        render(replace(one, path=tmp_path / "inventory.yaml"), size(one))


def test_a_real_archive_is_taken() -> None:
    one = everywhere('{postgresql: {archive_mode: on, archive_command: "cp %p /archive/%f"}}')
    assert size(one).host("one").setting("archive_mode") is not None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{postgresql: {work_memm: 4MB}}", "PostgreSQL 17 knows no such parameter"),
        ("{postgresql: {Work_mem: 4MB}}", "write it in small letters: work_mem"),
        ("{postgresql: {port: 5433}}", "can't be set: other files depend on it"),
        ("{sysctl: {kernel.panic: 1}}", "is not a kernel setting that can be set here"),
        ("{sysctl: {vm.swappiness: 300}}", "must be between 0 and 200"),
        ("{sysctl: {vm.swappiness: low}}", "must be a whole number"),
        ('{sysctl: {net.ipv4.ip_local_port_range: "32768"}}', "must be two whole numbers"),
        ("{temporal: {history.rpz: 1}}", "Temporal knows no such key"),
        ("{temporal: {limit.maxIDLength: 1000}}", "must be at most 255: the columns hold no more"),
    ],
)
def test_unknown_or_impossible_values_are_refused(text: str, what: str) -> None:
    assert what in refusal(everywhere(text))


def test_all_errors_are_said_at_once() -> None:
    said = refusal(everywhere("{postgresql: {fsync: off, nonsense: 1}, sysctl: {vm.swappiness: x}}"))
    assert said.endswith("3 errors; nothing was contacted")


def test_a_host_is_told_only_what_it_runs() -> None:
    extra = """
  two:
    address: 203.0.113.12
    internal: 10.0.0.12
    class: C-Series
    roles: [ui]
    resources: {vcpu: 4, memory: 8GiB, disk: {kind: ssd, size: 80GiB}}
    overrides:
      {postgresql: {jit: on}, temporal: {history.rps: 1}, pools: {history: 5}, memory: {history: 1GiB}}
"""
    text = "size: 80GiB}}\n"
    said = refusal(loaded((text, text.rstrip() + extra)))
    assert "two has no role postgresql" in said
    assert "two runs no Temporal service" in said
    assert "two has no role history" in said
    assert "two runs no history" in said


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
    assert "enableActivityEagerExecution:\n  - value: true\n" in files["services/frontend/dynamic.yaml"]
    assert "maxConns: 24\n" in files["services/history/server.yaml"]
    assert "mem_limit: 1024m\n" in files["docker-compose.yml"].replace('"', "")
    assert not any("test.yaml" in text for text in files.values())


def test_max_connections_follow_the_operators_pools() -> None:
    sized = size(everywhere("{pools: {history: 60}}"))
    assert sized.max_connections.value == 180
    assert sized.max_connections.reason == (
        "4 Temporal services: 120 + 4 x 10 + tools 10 + reserved 3, rounded up"
    )
