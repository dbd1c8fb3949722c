"""Leaving asks for the cluster's name before anything is contacted."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tempo_infra.cli.confirmation import confirm
from tempo_infra.cli.interrupt import stoppable
from tempo_infra.cli.main import app
from tempo_infra.errors import InputError
from tempo_infra.on_host.ejecting import Ejected
from tempo_infra.on_host.leaving import Removed
from tempo_infra.report.leaving import ejected_lines, removed_lines

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"


@pytest.mark.parametrize("given", [None, "", "Oslo", "oslo "])
def test_only_the_exact_name_goes_on(given: str | None) -> None:
    with pytest.raises(InputError) as told:
        confirm("oslo", given, "--confirm-remove")
    assert told.value.remedy == "nothing was contacted"
    confirm("oslo", "oslo", "--confirm-remove")


@pytest.mark.parametrize("command", ["remove", "eject"])
def test_without_a_terminal_the_option_is_named(command: str) -> None:
    ran = CliRunner().invoke(app, [command, "-i", str(EXAMPLE)])
    assert isinstance(ran.exception, InputError)
    assert f"--confirm-{command} oslo" in ran.exception.what


def test_the_database_host_does_not_go_alone() -> None:
    words = ["remove", "-i", str(EXAMPLE), "--host", "db-1", "--confirm-remove", "oslo"]
    ran = CliRunner().invoke(app, words)
    assert isinstance(ran.exception, InputError)
    assert "db-1 holds the database of front-1, history-1" in ran.exception.what


def test_what_was_removed_is_said_with_what_stays() -> None:
    removed = Removed(
        services=["history"],
        files=["etc/sysctl.d/60-tempo-infra.conf"],
        aside=["/var/lib/tempo-infra/taken-over/r1/etc/x"],
        put_back={"proc/sys/vm/swappiness": "60"},
        left=["sys/kernel/mm/transparent_hugepage/enabled"],
        same={"proc/sys/vm/dirty_ratio": "10"},
        copies="/var/lib/tempo-infra/taken-over",
        data=["/srv/tempo/postgres"],
        images=["a", "b"],
    )
    text = "\n".join(removed_lines("db-1", removed))
    for words in (
        r"db-1: removed history", r"- /etc/sysctl.d/60-tempo-infra.conf", r"kept aside: /var/lib",
        r"vm\.swappiness = 60", r"until the next boot: /sys/kernel/mm/transparent_hugepage/enabled",
        r"stays: /srv/tempo/postgres, with all data", r"2 images",
        r"stays, found so before the first provision: vm\.dirty_ratio = 10",
        r"stays: /var/lib/tempo-infra/taken-over, copies",
    ):  # fmt: skip
        assert re.search(words, text), words
    assert list(removed_lines("db-1", Removed())) == ["db-1: nothing of ours is there"]
    at_zero = "\n".join(removed_lines("db-1", Removed(state=True)))
    assert "removed no service" in at_zero
    assert "/var/lib/tempo-infra (generations" in at_zero


def test_an_ejected_host_says_where_to_go_on() -> None:
    text = "\n".join(
        ejected_lines("db-1", Ejected("/var/lib/tempo-infra/docker-compose.yml", ["postgresql"]))
    )
    assert "cd /var/lib/tempo-infra && docker compose ps" in text
    assert "ejected before" in "\n".join(ejected_lines("db-1", Ejected("/x/docker-compose.yml")))


@pytest.mark.parametrize(
    "folder",
    [
        "/var/lib/x; id",
        "/tmp/x",
        "$(id)/var/lib/tempo-infra",
        "/a b/var/lib/tempo-infra",
        "/x/../var/lib/tempo-infra",
        "",
    ],
)
def test_a_folder_that_a_host_invents_is_in_no_command_to_paste(folder: str) -> None:
    text = "\n".join(ejected_lines("db-1", Ejected(f"{folder}/docker-compose.yml", ["postgresql"])))
    assert f"names no folder that is one of ours: {folder}" in text
    assert "cd " not in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_stopped_says_how_to_go_on(number: signal.Signals, capfd: pytest.CaptureFixture[str]) -> None:
    fleet: Any = SimpleNamespace(begun=True)
    with pytest.raises(typer.Exit) as ended, stoppable(fleet, "the same command goes on from here"):
        os.kill(os.getpid(), number)
    assert ended.value.exit_code == 1
    assert capfd.readouterr().err.endswith("\nthe same command goes on from here\n")
