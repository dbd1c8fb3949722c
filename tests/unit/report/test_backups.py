from __future__ import annotations

import json

from tempo_infra.inventory.cluster import Backup as Wanted
from tempo_infra.inventory.cluster import Repository as Place
from tempo_infra.on_host.backups import Backup, Kept, Repository, Taken
from tempo_infra.report.backups import backup_lines, backups_json, size, taken_lines

ONE = Backup(
    1, "20261130-145543F", "full", 1796050543, 1796050549, 42542839, 4907992, "A", "B", damaged=False
)
WANTED = Wanted((Place("10.0.0.7", 22, "vault", "/repo", "0", "SE", "other"),) * 2, 60, 14, "02:30", 7)


def test_each_repository_has_its_backups() -> None:
    kept = Kept([Repository(1, "", "A", "C"), Repository(2, "away\x1b[2J")], [ONE])
    assert list(backup_lines(kept, WANTED)) == [
        "repository 1, 10.0.0.7 (other, SE): log A to C",
        f"  {ONE.label:33}  full  2026-11-30 14:55:49Z  database 40.6 MiB, kept 4.68 MiB  log A to B",
        "repository 2, 10.0.0.7 (other, SE): away",
        "  no backup yet",
    ]
    assert json.loads(backups_json(kept))["backups"][0]["label"] == ONE.label


def test_what_came_of_one_is_said_for_each_repository() -> None:
    said = list(taken_lines(Taken([ONE], [2], "[049]: unable to connect")))
    assert said[0].startswith("repository 1: 20261130-145543F")
    assert said[1] == "repository 2: no new backup: [049]: unable to connect"


def test_sizes_are_short() -> None:
    assert [size(one) for one in (0, 1023, 1024, 3 * 1024**3, 5 * 1024**4)] == [
        "0 B",
        "1023 B",
        "1 KiB",
        "3 GiB",
        "5 TiB",
    ]
