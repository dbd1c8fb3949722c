"""Whose the numbers are that containers run as, and what that one can read."""

from __future__ import annotations

import grp
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from tempo_infra.on_host.accounts import readers, taken

READ = "the database password, and what Temporal's processes hold"
WANTED = ["services/postgresql-3f2a/postgresql.conf", "docker-compose.yml"]


def known(monkeypatch: pytest.MonkeyPatch, users: dict[int, str], groups: dict[int, str]) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda number: SimpleNamespace(pw_name=users[number]))
    monkeypatch.setattr(grp, "getgrgid", lambda number: SimpleNamespace(gr_name=groups[number]))


def test_nobodys_numbers_are_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, {0: "root", 1001: "bob"}, {0: "root"})
    assert taken(readers(WANTED), ()) == []


def test_an_account_is_named_with_what_it_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, {1000: "alice", 999: "lxd"}, {999: "systemd-journal"})
    assert taken(readers(WANTED), ()) == [
        "user id 999 is lxd on this host: lxd can read all of PostgreSQL's data",
        "group id 999 is systemd-journal on this host: a service acts as that group there",
        f"user id 1000 is alice on this host: alice can read {READ}",
    ]


def test_a_host_without_the_database_has_none_of_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, {999: "lxd"}, {})
    assert taken(readers(["services/history-3f2a/server.yaml"]), ()) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bob:900:200\n", ["subordinate id 999 is bob on this host: bob can read all of PostgreSQL's data"]),
        ("bob:1001:65536\n", []),
        ("bob:999\n# no such line:x:y\nbob:a:b\n", []),
    ],
)
def test_numbers_that_an_account_may_hand_to_its_own_containers(
    line: str, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, {}, {})
    file = tmp_path / "subuid"
    file.write_text(line)
    assert taken(readers(WANTED), (file, tmp_path / "missing"))[: len(said) or None] == said
