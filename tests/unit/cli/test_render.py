"""`tempo-infra render`, as it is typed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tempo_infra.cli.main import app
from tempo_infra.errors import InputError
from tests.unit.render.test_own_templates import own

INVENTORY = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["render", "-i", str(INVENTORY), *map(str, words)])


def test_a_line_a_host() -> None:
    done = run()
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert [line.split()[0] for line in lines] == ["front-1", "history-1", "db-1"]
    assert lines[2].endswith("11 files: postgresql, schema")


def test_written_then_checked(tmp_path: Path) -> None:
    written = run("-o", tmp_path)
    assert written.exit_code == 0
    assert written.output.splitlines()[0] == f"wrote {tmp_path}:"
    assert (tmp_path / "db-1" / "docker-compose.yml").is_file()
    same = run("--check", tmp_path)
    assert (same.exit_code, same.output) == (0, "")
    (tmp_path / "db-1" / "docker-compose.yml").write_text("changed\n")
    other = run("--check", tmp_path)
    assert other.exit_code == 1
    assert "--- a/db-1/docker-compose.yml\n+++ b/db-1/docker-compose.yml\n" in other.output
    assert run("--check", tmp_path, "--host", "front-1").exit_code == 0


def test_one_host_on_standard_output() -> None:
    done = run("--stdout", "--host", "db-1")
    assert done.exit_code == 0
    assert "==> db-1/docker-compose.yml\n" in done.output
    assert "==> db-1/manifest.json\n" in done.output
    assert "front-1/" not in done.output


def test_one_way_out_at_a_time(tmp_path: Path) -> None:
    done = run("--stdout", "-o", tmp_path / "x")
    assert isinstance(done.exception, InputError)
    assert not (tmp_path / "x").exists()


def test_an_unknown_host_is_named() -> None:
    done = run("--host", "db-2")
    assert isinstance(done.exception, InputError)
    assert "no host 'db-2'" in str(done.exception)


@pytest.mark.thorough
def test_a_hundred_hosts_in_two_seconds(tmp_path: Path) -> None:
    """CPU time, loading included; a busy machine makes no difference."""
    head, _, _ = INVENTORY.read_text().partition("  front-1:")
    host = (
        "  {name}:\n    address: 203.0.113.{n}\n    internal: 10.0.1.{n}\n    class: C-Series\n"
        "    roles: [{roles}]\n"
        "    resources: {{vcpu: 8, memory: 32GiB, disk: {{kind: nvme, size: 320GiB}}}}\n"
    )
    kinds = {1: "postgresql", 2: "frontend, matching, worker, ui"}
    hosts = [host.format(name=f"h-{n}", n=n, roles=kinds.get(n, "history")) for n in range(1, 101)]
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text(head + "".join(hosts))
    began = time.process_time()
    done = CliRunner().invoke(app, ["render", "-i", str(inventory), "-o", str(tmp_path / "out")])
    spent_s = time.process_time() - began
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "out").iterdir())) == 100
    assert spent_s < 2


@pytest.mark.parametrize("word", ["--output", "--check", "--host", "--stdout"])
def test_the_help_names_every_option(word: str) -> None:
    done = CliRunner().invoke(app, ["render", "--help"], env={"COLUMNS": "100", "NO_COLOR": "1"})
    assert word in done.output


@pytest.mark.thorough
@pytest.mark.parametrize("words", [(), ("--stdout",), ("--check", "rendered"), ("-o", "rendered")])
def test_own_templates_are_named_beside_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("inventory.yaml").write_text(INVENTORY.read_text().replace("accept: []", "accept: [own-compose]"))
    own(tmp_path, "docker-compose.yml.j2", ("    init: true\n", "    init: true\n    privileged: true\n"))
    done = CliRunner().invoke(app, ["render", *words])
    for_programs = bool({"--stdout", "--check"} & set(words))
    said = (done.stderr if for_programs else done.stdout).splitlines()
    said = [line for line in said if not line.startswith("wrote ")] if not for_programs else said
    assert said[0] == "note: own template docker-compose.yml.j2 on front-1, history-1, db-1"
    assert said[1].startswith("accepted risk: own-compose: more than the inventory means")
    assert "services.postgresql.privileged: true" in said[1]
    assert ("note:" in done.stdout) is not for_programs
    only = CliRunner().invoke(app, ["render", *words, "--host", "db-1"])
    assert "note: own template docker-compose.yml.j2 on db-1\n" in only.output
