"""check-host from the command line, whole, against this machine and against kept facts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tempo_infra.checks import CHECKS, Outcome, Phase
from tempo_infra.cli.check_host import PhaseName
from tempo_infra.cli.checking import exit_code_for
from tempo_infra.cli.exit_codes import exit_code
from tempo_infra.cli.main import app
from tempo_infra.errors import InputError, TempoInfraError
from tempo_infra.inventory.catalogue import built_in
from tempo_infra.inventory.cluster import Host
from tempo_infra.on_host.probes.reading import Reading
from tests.unit.checks.hosts import FAILED, having, healthy

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def tempo_infra(*words: str) -> Done:
    """Run a command in this process; an error becomes a line and an exit code, as in `run`."""
    result = CliRunner().invoke(app, words)
    if isinstance(result.exception, TempoInfraError):
        return Done(exit_code([result.exception]), result.stdout, f"error: {result.exception}\n")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def program(*words: str) -> Done:
    """Run a command as a process of its own, without a terminal."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root"), "PYTHONUTF8": "1"}
    code = "import sys; from tempo_infra.cli.main import run; sys.exit(run())"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def kept(tmp_path: Path, **hosts: Any) -> str:
    path = tmp_path / "facts.json"
    plain = {name: facts if isinstance(facts, dict) else facts.to_json() for name, facts in hosts.items()}
    path.write_text(json.dumps({"hosts": plain}), "utf-8")
    return str(path)


@pytest.mark.thorough
def test_this_machine_quickly_and_without_an_inventory(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = program("check-host", "--local", "--quick", "--data-dir", str(tmp_path), "--format", "json")
    assert time.monotonic() - begun < 20
    assert done.stderr == ""
    report = json.loads(done.stdout)
    found = {finding["id"]: finding for finding in report["hosts"][0]["findings"]}
    assert list(found) == [check.id for check in CHECKS]
    assert (found["disk.fsync"]["outcome"], found["disk.fsync"]["note"]) == ("skip", "left out by --quick")
    assert found["kernel.swappiness"]["outcome"] in ("pass", "warn")
    assert done.returncode == report["exit_code"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
def test_the_text_report_has_no_escapes_and_ends_with_the_exit_code() -> None:
    done = program("check-host", "--local", "--quick", "--only", "kernel.swappiness")
    assert "\x1b" not in done.stdout
    assert re.search(rf"passed   exit {done.returncode}\n$", done.stdout)


def test_facts_are_kept_and_judged_again(tmp_path: Path) -> None:
    file = str(tmp_path / "kept.json")
    first = tempo_infra("check-host", "--local", "--quick", "--save-facts", file, "--format", "json")
    again = tempo_infra("check-host", "--facts", file, "--format", "json")
    before, after = json.loads(first.stdout), json.loads(again.stdout)
    assert before["hosts"][0]["findings"] == after["hosts"][0]["findings"]
    assert first.returncode == again.returncode


def test_a_healthy_host_is_fine(tmp_path: Path) -> None:
    done = tempo_infra("check-host", "--facts", kept(tmp_path, good=healthy()))
    assert (done.returncode, done.stderr) == (0, "")
    assert "verdict: fit for its class (NVMe-Series)" in done.stdout


BAD = having(healthy(), "kernel.somaxconn", Reading(128))
UNSEEN = having(healthy(), "kernel.somaxconn", FAILED)
WARNED = having(healthy(), "kernel.swappiness", Reading(60))


@pytest.mark.parametrize(
    ("facts", "options", "code"),
    [
        (BAD, (), 1),
        (UNSEEN, (), 3),
        (having(UNSEEN, "clock.discipline", FAILED), ("--skip", "clock.sync"), 3),
        (having(BAD, "clock.discipline", FAILED), (), 1),
        (UNSEEN, ("--strict",), 1),
        (WARNED, (), 0),
        (WARNED, ("--strict",), 1),
        (BAD, ("--ignore", "kernel.somaxconn"), 0),
        (UNSEEN, ("--ignore", "kernel"), 0),
        (UNSEEN, ("--skip", "kernel.somaxconn"), 0),
        (BAD, ("--only", "disk"), 0),
        (BAD, ("--ignore", "kernel.somaxconn", "--strict"), 1),
    ],
)
def test_exit_codes(tmp_path: Path, facts: Any, options: tuple[str, ...], code: int) -> None:
    done = tempo_infra("check-host", "--facts", kept(tmp_path, host=facts), *options)
    assert done.returncode == code, done.stdout + done.stderr
    assert f"exit {code}" in done.stdout


def test_facts_that_cannot_be_read_are_one_line_and_the_others_go_on(tmp_path: Path) -> None:
    done = tempo_infra("check-host", "--facts", kept(tmp_path, old={"schema": 0}, good=healthy()))
    assert done.returncode == 3
    assert "facts of schema 0; this version reads 3" in done.stdout
    assert "verdict: fit for its class" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--local", "--quick", "--skip", "disk.fsnc"), "no check 'disk.fsnc'\n  did you mean 'disk.fsync'?"),
        (("--local", "--quick", "--with-load"), "--quick and --with-load exclude each other"),
        (("--local", "--data-dir", "srv"), "not an absolute path"),
        (("--local", "--class", "Z-Series"), "no class 'Z-Series'"),
        (("--local", "root@203.0.113.9"), "choose one"),
        (("--facts", "/nowhere.json"), "/nowhere.json: no such file"),
        (
            ("-i", str(ROOT / "inventory/oslo-trio.yaml"), "--local"),
            "say by --host which host this machine is",
        ),
        (
            (
                "-i",
                "/nowhere.yaml",
            ),
            "/nowhere.yaml",
        ),
        (("root@",), "'root@' is no host"),
        (("-oProxyCommand=x",), "No such option"),
    ],
)
def test_bad_requests_contact_nothing(words: tuple[str, ...], said: str) -> None:
    done = tempo_infra("check-host", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
def test_a_host_of_an_inventory_may_be_this_machine(tmp_path: Path) -> None:
    options = ("--local", "--host", "db-1", "--quick", "--data-dir", str(tmp_path), "--format", "json")
    done = tempo_infra("check-host", "-i", str(ROOT / "inventory/oslo-trio.yaml"), *options)
    host = json.loads(done.stdout)["hosts"][0]
    assert (host["name"], host["class"]) == ("db-1", "High-RAM")
    assert {one["id"]: one["outcome"] for one in host["findings"]}["cpu.count"] in ("pass", "fail")


def test_an_ordinary_user_learns_what_needed_root(tmp_path: Path) -> None:
    held_back: Reading[Any] = Reading(
        None, "uid 1000 may not ask the Docker engine; root and group docker may"
    )
    facts = having(having(healthy(), "docker", held_back), "kernel.somaxconn", Reading(None, "no such file"))
    mine = kept(tmp_path, a=having(facts, "system.uid", Reading(1000)))
    done = tempo_infra("check-host", "--facts", mine, "--format", "json")
    [told] = json.loads(done.stdout)["hosts"]
    assert "needed root, and this was uid 1000: container.state, container.image" in told["verdict"]
    assert "kernel.somaxconn" not in told["verdict"]
    roots = tempo_infra("check-host", "--facts", kept(tmp_path, a=facts), "--format", "json")
    assert "needed root" not in roots.stdout


def test_checks_list_and_show() -> None:
    listed = tempo_infra("checks", "list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [check.id for check in CHECKS]
    as_json = json.loads(tempo_infra("checks", "list", "--format", "json").stdout)
    assert [one["id"] for one in as_json] == [check.id for check in CHECKS]
    shown = tempo_infra("checks", "show", "disk.fsync")
    assert "what to do" in shown.stdout
    assert tempo_infra("checks", "show", "disk.fsnc").returncode == 2


@pytest.mark.parametrize(
    ("target", "user", "address", "port"),
    [
        ("root@203.0.113.9", "root", "203.0.113.9", 22),
        ("deploy@db.example:2222", "deploy", "db.example", 2222),
        ("root@[2001:db8::1]:22", "root", "2001:db8::1", 22),
    ],
)
def test_a_host_without_an_inventory(target: str, user: str, address: str, port: int) -> None:
    ssh = Host.without_inventory(target, built_in().classes["C-Series"]).ssh
    assert (ssh.user, ssh.address, ssh.port) == (user, address, port)


@pytest.mark.parametrize("target", ["", "root@", "a b", "root@-x", "x:port", "root@h;id", "h\n"])
def test_what_is_no_host(target: str) -> None:
    with pytest.raises(InputError):
        Host.without_inventory(target, built_in().classes["C-Series"])


def test_failed_wins_over_unknown() -> None:
    none = dict.fromkeys(Outcome, 0)
    assert exit_code_for({**none, Outcome.FAIL: 1, Outcome.UNKNOWN: 1}, strict=False) == 1
    assert exit_code_for({**none, Outcome.UNKNOWN: 1, Outcome.WARN: 1}, strict=False) == 3


def test_the_phases_of_the_option_are_those_of_checks() -> None:
    assert [one.value for one in PhaseName] == [one.value for one in Phase]


def test_several_files_at_once_each_in_its_format(tmp_path: Path) -> None:
    words = ("check-host", "--facts", kept(tmp_path, a=healthy()))
    files = {
        "r.html": "<!doctype html>",
        "r.xml": "<?xml",
        "r.sarif": "{",
        "r.prom": "# HELP",
        "r.txt": "a · ",
    }
    outputs = [word for name in files for word in ("--output", str(tmp_path / name))]
    done = tempo_infra(*words, *outputs, "--output", f"markdown:{tmp_path / 'report'}")
    assert done.returncode == 0, done.stderr
    assert "exit 0" in done.stdout
    for name, start in {**files, "report": "# check-host"}.items():
        assert (tmp_path / name).read_text().startswith(start)
    assert not list(tmp_path.glob(".*"))


def test_an_output_that_cannot_be_written_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    done = tempo_infra("check-host", "--local", "--output", str(tmp_path / "none/r.html"))
    assert done.returncode == 2
    assert f"no folder {tmp_path}/none" in done.stderr


def test_facts_without_an_end_to_their_depth_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_text("[" * 100_000)
    done = tempo_infra("check-host", "--facts", str(file))
    assert done.returncode == 2
    assert "not JSON" in done.stderr


@pytest.mark.parametrize("option", ["--save-facts", "--output"])
def test_what_is_measured_goes_through_no_link(tmp_path: Path, option: str) -> None:
    (tmp_path / "mine").write_text("mine")
    link = tmp_path / "report.json"
    link.symlink_to("mine")
    done = tempo_infra("check-host", "--local", "--quick", option, str(link))
    assert done.returncode == 2
    assert f"{link}: is a link, and links are not followed" in done.stderr
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.thorough
def test_facts_are_kept_for_their_owner_and_reports_for_all(tmp_path: Path) -> None:
    facts, report = tmp_path / "facts.json", tmp_path / "report.json"
    tempo_infra("check-host", "--local", "--quick", "--save-facts", str(facts), "--output", str(report))
    assert (facts.stat().st_mode & 0o777, report.stat().st_mode & 0o777) == (0o600, 0o644)


def test_facts_that_somebody_else_may_have_written_are_not_judged(tmp_path: Path) -> None:
    path = Path(kept(tmp_path, h=healthy()))
    path.chmod(0o666)
    done = tempo_infra("check-host", "--facts", str(path))
    assert (done.returncode, done.stderr) == (
        2,
        f"error: {path}: everybody on this machine may change it (0666)\n  chmod o-w {path}\n",
    )
