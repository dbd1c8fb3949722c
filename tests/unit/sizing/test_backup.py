from __future__ import annotations

import pytest

from tempo_infra.report.explain import lines
from tempo_infra.sizing import size
from tests.unit.inventory.test_backup import AT, HEX, REPOSITORY, SECTION
from tests.unit.inventory.texts import cluster


def said(*pairs: tuple[str, str], name: str = "pgbackrest") -> dict[str, str]:
    found = cluster((AT, SECTION + AT), *pairs)
    return {line.setting.name: line.text for line in lines(size(found), name=name)}


def test_each_line_has_a_reason_and_is_explained() -> None:
    found = size(cluster((AT, SECTION + AT)))
    assert all(line.setting.reason and line.setting.source for line in lines(found, name="pgbackrest"))


def test_a_repository_is_pinned_encrypted_and_elsewhere() -> None:
    found = said()
    assert found["repo1-sftp-host-key-check-type"] == "fingerprint"
    assert found["repo1-sftp-host-fingerprint"] == HEX
    assert found["repo1-cipher-type"] == "aes-256-cbc"
    assert (found["repo1-bundle"], found["repo1-block"]) == ("y", "n")  # else no restore comes to its end
    assert (found["repo1-sftp-host"], found["repo1-path"]) == ("198.51.100.7", "/repo")
    assert not [name for name in found if name.startswith("repo2-")]


def test_a_second_repository_has_lines_of_its_own() -> None:
    second = REPOSITORY.replace("198.51.100.7", "vault.example")
    found = said((REPOSITORY, REPOSITORY + second))
    assert (found["repo1-sftp-host"], found["repo2-sftp-host"]) == ("198.51.100.7", "vault.example")


@pytest.mark.parametrize(("vcpu", "processes"), [(1, "1"), (4, "1"), (8, "2"), (16, "4"), (64, "4")])
def test_processes_leave_the_database_its_vcpus(vcpu: int, processes: str) -> None:
    assert said(("vcpu: 4", f"vcpu: {vcpu}"))["process-max"] == processes


@pytest.mark.parametrize(("disk", "queue"), [("80GiB", "20GiB"), ("1TiB", "256GiB")])
def test_the_log_that_waits_never_fills_the_disk(disk: str, queue: str) -> None:
    assert said(("80GiB", disk))["archive-push-queue-max"] == queue


def test_the_log_is_sent_as_often_as_the_goal_says() -> None:
    found = said(("  repositories:", "  rpo: 2m\n  repositories:"), name="postgresql")
    assert found["archive_timeout"] == "120s"
    assert found["archive_mode"] == "on"
    assert found["archive_command"] == "sh /etc/tempo-infra/pgbackrest.sh archive-push %p"


def test_without_backups_nothing_is_archived() -> None:
    [host] = size(cluster()).hosts
    assert host.pgbackrest == ()
    assert not [one for one in host.postgresql if one.name.startswith("archive_")]
