"""`explain`: every value of every file, with its reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tempo_infra.cli.main import app
from tempo_infra.errors import InputError
from tempo_infra.inventory import load
from tempo_infra.render import parse, render
from tempo_infra.report import explain
from tempo_infra.sizing import size
from tests.unit.inventory.texts import cluster as loaded

EXAMPLES = sorted((Path(__file__).parents[3] / "inventory").glob("*.yaml"))
TRIO = next(path for path in EXAMPLES if path.stem == "oslo-trio")


def run(*words: str, inventory: Path = TRIO) -> Result:
    return CliRunner().invoke(app, ["explain", "-i", str(inventory), *words])


def test_one_value_with_all_that_is_known_about_it() -> None:
    done = run("db-1", "postgresql.shared_buffers")
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "db-1: postgresql.shared_buffers = 7664MB",
        "  rule    a quarter of PostgreSQL's 30656 MiB",
        "  from    db-1: 32 GiB, PostgreSQL's share 29.94 GiB",
        "  instead article 2GB · pgtune 8GB · server default 128MB",
        "  note    no gain measured while the data fits; spares reads as it grows",
        "  source  https://www.postgresql.org/docs/current/runtime-config.html",
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_line_of_every_file_is_explained(path: Path) -> None:
    cluster = load(path)
    settings = size(cluster)
    for bundle in render(cluster, settings):
        names = {line.name: line for line in explain.lines(settings, bundle.host)}
        assert all(line.setting.reason and line.setting.source for line in names.values())
        for file in bundle.files:
            if file.logical.endswith("postgresql.conf"):
                for name, value in parse.pgconf(file.content.decode()).items():
                    assert names[f"postgresql.{name}"].text == value
            if file.logical.startswith("etc/sysctl.d"):
                for name, value in parse.sysctl(file.content.decode()).items():
                    assert names[f"sysctl.{name}"].text == value
            if file.logical.endswith("dynamic.yaml"):
                role = file.logical.split("/")[1]
                document = parse.yaml(file.content.decode())
                assert isinstance(document, dict)
                assert all(f"{role}.{name}" in names for name in document)


def test_json_holds_the_same() -> None:
    body = json.loads(run("db-1", "--format", "json").output)
    assert body["format"] == 1
    one = next(line for line in body["settings"] if line["name"] == "wal_compression")
    assert one["text"] == "lz4"
    assert one["instead"] == {"pgtune": "lz4", "server default": "off"}
    assert one["override"] is None
    assert body["warnings"] == body["risks"] == []


def test_all_hosts_and_files() -> None:
    done = run()
    assert [line for line in done.output.splitlines() if line and line[0] != " "] == [
        "front-1",
        "history-1",
        "db-1",
    ]
    assert "  history.history.cacheSizeBasedLimit = true" in done.output
    assert run("db-1", "sysctl").output.count("db-1: sysctl.") == 3


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_is_read_on_a_terminal_of_eighty_columns(path: Path) -> None:
    settings = size(load(path))
    found = explain.lines(settings)
    told = [explain.text(found, settings, detailed=detailed) for detailed in (False, True)]
    wide = {line for line in "\n".join(told).splitlines() if len(line) > 80}
    assert all("https://" in line or " = " in line for line in wide), wide
    assert len(wide) < 12


def test_the_operators_own_values_are_told_apart() -> None:
    done = run("history-1")
    assert "history.numHistoryShards = 512  (inventory)" in done.output
    assert "(override)" not in done.output
    own = size(loaded(("hosts:", "overrides: {memory: {history: 1GiB}, pools: {history: 24}}\nhosts:")))
    table = explain.text(explain.lines(own), own, detailed=False)
    assert "compose.history.mem_limit = 1024MiB  (override)" in table
    assert "history.default.maxConns = 24  (override)" in table


def test_it_says_of_nearly_every_value_what_others_would_set() -> None:
    settings = size(load(TRIO))
    without = {line.setting.name for line in explain.lines(settings) if not line.setting.instead}
    assert without == {"unix_socket_directories"}


def test_an_unknown_name_gets_a_hint() -> None:
    done = run("db-1", "postgresql.shared_bufers")
    assert isinstance(done.exception, InputError)
    assert 'did you mean "postgresql.shared_buffers"?' in str(done.exception)
    assert isinstance(run("db-2").exception, InputError)


def test_overrides_warnings_and_risks_are_shown() -> None:
    text = "{postgresql: {synchronous_commit: off}, temporal: {history.persistenceMaxQPS: 90000}}"
    one = loaded(("hosts:", f"accept: [synchronous-commit-off]\noverrides: {text}\nhosts:"))
    settings = size(one)
    said = explain.text(explain.lines(settings), settings, detailed=True)
    assert "set in  folder/test.yaml:11:" in said
    assert "instead sized on · server default on" in said
    assert 'warning: budget "persistence-qps" is over' in said
    assert "accepted risk: synchronous-commit-off" in said
    table = explain.text(explain.lines(settings), settings, detailed=False)
    assert "postgresql.synchronous_commit = off  (override)" in table
