"""What pgBackRest says, made sense of; recorded from version 2.55.1."""

from __future__ import annotations

from typing import Any

import pytest

from tempo_infra.on_host import remedies
from tempo_infra.on_host.backups import Backup, Kept, Repository, newest, of_json, told

FULL = "20261130-145543F"
NONE_YET = {"code": 2, "message": "no valid backups"}


def stanza(**more: object) -> dict[str, Any]:
    return {
        "archive": [
            {"database": {"id": 1, "repo-key": 1}, "id": "17-1", "max": "0" * 23 + "6", "min": "0" * 23 + "1"}
        ],
        "backup": [
            {
                "archive": {"start": "0" * 23 + "4", "stop": "0" * 23 + "5"},
                "database": {"id": 1, "repo-key": 1},
                "error": False,
                "info": {"delta": 42542839, "repository": {"delta": 4907992}, "size": 42542839},
                "label": FULL,
                "timestamp": {"start": 1796050543, "stop": 1796050549},
                "type": "full",
            }
        ],
        "cipher": "aes-256-cbc",
        "name": "main",
        "repo": [{"cipher": "aes-256-cbc", "key": 1, "status": {"code": 0, "message": "ok"}}],
        "status": {"code": 0, "message": "ok"},
        **more,
    }


def test_a_backup_is_read() -> None:
    one = Backup(
        1,
        FULL,
        "full",
        1796050543,
        1796050549,
        42542839,
        4907992,
        "0" * 23 + "4",
        "0" * 23 + "5",
        damaged=False,
    )
    assert of_json([stanza()]) == Kept([Repository(1, "", "0" * 23 + "1", "0" * 23 + "6")], [one])


def test_a_repository_that_can_not_be_used_says_why_though_pgbackrest_ends_well() -> None:
    away = {"code": 99, "message": "[HostConnectError] unable to connect"}
    found = of_json([stanza(archive=[], backup=[], repo=[{"key": 1, "status": away}])])
    assert found == Kept([Repository(1, "[HostConnectError] unable to connect")], [])
    assert (
        of_json([stanza(archive=[], backup=[], repo=[{"key": 1, "status": NONE_YET}])]).repositories[0].wrong
    )


def test_damaged_pages_are_no_good_backup_though_pgbackrest_ends_well() -> None:
    bad = stanza()
    later = {
        **bad["backup"][0],
        "error": True,
        "label": f"{FULL}_20261130-145605I",
        "timestamp": {"start": 1, "stop": 1796050600},
    }
    found = of_json([{**bad, "backup": [*bad["backup"], later]}])
    assert [one.damaged for one in found.backups] == [False, True]
    best = newest(found, 1)
    assert best is not None
    assert best.label == FULL
    assert newest(found, 2) is None


@pytest.mark.parametrize(
    "wrong", [[stanza(repo=[{"key": "x", "status": {}}])], [stanza(backup=[{}])], [1], None]
)
def test_anything_else_is_no_answer(wrong: object) -> None:
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
        of_json(wrong)


NO_MATCH = "configured fingerprint (repo-sftp-host-fingerprint) [00] do not match"
SAID = (
    (f"ERROR: [101]: host [8f] and {NO_MATCH}", "another host key"),
    ("ERROR: [101]: public key authentication failed: libssh2 error [-18]", "tempo-infra backup key"),
    ("ERROR: [049]: unable to connect to '10.99.0.28:2': [111] Connection refused", "sshd does not answer"),
    ("ERROR: [049]: timeout connecting to '10.99.0.254:22'", "sshd does not answer"),
    (
        "ERROR: [049]: unable to get address for 'x.invalid': [-2] Name or service not known",
        "not know the name",
    ),
    ("ERROR: [047]: unable to create path '/nope': sftp error [3] permission denied", "able to write"),
    ("ERROR: [028]: archive info files exist but do not match the database", "another database"),
    ("ERROR: [055]: unable to load info file\n FormatError: key/value found", "another passphrase"),
)


@pytest.mark.parametrize(("said", "remedy"), SAID)
def test_each_complaint_has_its_remedy(said: str, remedy: str) -> None:
    assert remedy in remedies.remedy(remedies.BACKUP, said)


def test_what_it_said_is_one_line_of_errors() -> None:
    text = "2026-11-30 14:54:45 P00  ERROR: [049]: unable to connect\n   on 10 retries\nWARN: x\n"
    assert told(text) == "[049]: unable to connect"
    assert told("docker: no such container\n") == "docker: no such container"
    assert len(told("ERROR: " + "x" * 10_000)) <= 400
