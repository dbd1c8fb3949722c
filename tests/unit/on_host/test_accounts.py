"""Whose the numbers are that containers run as, and what that one can read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import accounts, engine
from tempo_infra.on_host.accounts import OF_POSTGRESQL, OF_TEMPORAL, OF_UI, look, readers
from tempo_infra.on_host.shell import Output, StepError
from tempo_infra.on_host.users import OF_IMAGES, OWN

OURS, THEIRS = "a" * 64, "b" * 64  # containers


class Host:
    """What `getent` says, who lends numbers, what runs."""

    def __init__(self, folder: Path) -> None:
        self.said: dict[str, str | StepError] = {"passwd": "", "group": ""}
        self.proc = folder / "proc"
        self.proc.mkdir()
        self.asked: list[list[str]] = []
        self.engine: list[dict[str, Any]] | StepError = [{"Id": OURS}]

    def run(self, words: list[str], *, deadline_s: float) -> Output:
        assert deadline_s <= 10
        self.asked.append(words)
        said = self.said[words[1]]
        if isinstance(said, StepError):
            raise said
        return Output(2, said, "")

    def process(self, pid: int, name: str, uids: str, container: str = "") -> None:
        folder = self.proc / str(pid)
        folder.mkdir()
        (folder / "status").write_text(f"Name:\t{name}\nUid:\t{uids}\nGid:\t0\t0\t0\t0\n")
        (folder / "comm").write_text(f"{name}\n")
        group = (
            f"0::/system.slice/docker-{container}.scope\n" if container else "0::/system.slice/x.service\n"
        )
        (folder / "cgroup").write_text(group)

    def listed(self, *_: object, **__: object) -> list[dict[str, Any]]:
        if isinstance(self.engine, StepError):
            raise self.engine
        return self.engine


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    monkeypatch.setattr(accounts, "run", made.run)
    monkeypatch.setattr(accounts, "PROC", made.proc)
    files = {"user": tmp_path / "subuid", "group": tmp_path / "subgid"}
    monkeypatch.setattr(accounts, "SUBORDINATE", files)
    monkeypatch.setattr(engine, "listed", made.listed)
    return made


def said(reads: dict[int, str]) -> list[str]:
    return [one.words for one in look(reads, reads).shared]


ALL = readers(OF_IMAGES, database=True)


@pytest.mark.usefixtures("host")
def test_nobodys_numbers_are_nothing_to_say() -> None:
    assert look(ALL, ALL) == accounts.Accounts()


def test_an_account_is_named_with_what_it_can_read(host: Host) -> None:
    host.said = {
        "passwd": "alice:x:1000:1000:Alice,,,:/home/alice:/bin/bash\nlxd:x:999:100::/:/bin/false\n",
        "group": "systemd-journal:x:999:\n",
    }
    assert said(ALL) == [
        f"user id 999 is lxd on this host: lxd can read {OF_POSTGRESQL}",
        "group id 999 is systemd-journal on this host: a service acts as that group there",
        f"user id 1000 is alice on this host: alice can read {OF_TEMPORAL}",
    ]
    assert host.asked == [["getent", "passwd", "999", "1000"], ["getent", "group", "999", "1000"]]


def test_numbers_that_nobody_asked_for_are_nobodys(host: Host) -> None:
    host.said["passwd"] = "bob:x:1001:1001::/:/bin/sh\nno such line\na:b:c:d\n:::\n"
    assert said(ALL) == []


@pytest.mark.parametrize(
    ("users", "database", "reads"),
    [
        (OF_IMAGES, True, {1000: OF_TEMPORAL, 999: OF_POSTGRESQL}),
        (OF_IMAGES, False, {1000: OF_TEMPORAL}),
        (OWN, True, {60901: OF_POSTGRESQL, 60902: OF_TEMPORAL, 60903: OF_UI}),
        (OWN, False, {60902: OF_TEMPORAL, 60903: OF_UI}),
    ],
)
def test_who_reads_what(users: Any, database: bool, reads: dict[int, str]) -> None:
    assert readers(users, database=database) == reads


def test_a_directory_that_does_not_answer_is_said_and_holds_nobody(host: Host) -> None:
    host.said["passwd"] = StepError("`getent passwd 999 1000` gave no answer in 5 s")
    found = look(ALL, ALL)
    assert found.shared == []
    assert found.unasked == (
        "whether an account has the user ids of containers is not known: "
        "`getent passwd 999 1000` gave no answer in 5 s"
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("bob:900:200\n", f"subordinate user id 999 is bob on this host: bob can read {OF_POSTGRESQL}"),
        ("bob:1001:65536\n", ""),
        ("bob:999\n# no such line:x:y\nbob:a:b\n", ""),
        ("bob:\u00b2:\u00b3\nbob:0:" + "9" * 5000 + "\n", ""),
    ],
)
def test_numbers_that_an_account_may_hand_to_its_own_containers(
    host: Host, tmp_path: Path, line: str, says: str
) -> None:
    del host
    (tmp_path / "subuid").write_text(line)
    assert [one for one in said(ALL) if "999" in one] == ([says] if says else [])


def test_what_runs_as_one_of_them_without_an_account_is_found_by_its_process(host: Host) -> None:
    host.process(7, "exporter", "0\t999\t999\t999")
    host.process(8, "other", "1\t1\t1\t1")
    host.process(9, "ev\x1b]0;", "1000\t1000\t1000\t1000", THEIRS)
    assert said(ALL) == [
        f"the process exporter runs as user id 999 on this host: it can read {OF_POSTGRESQL}",
        f"the process ev??0? runs as user id 1000 on this host: it can read {OF_TEMPORAL}",
    ]


def test_a_process_whose_name_is_no_text_is_found_like_any_other(host: Host) -> None:
    """Anybody on the host gives a process of theirs any bytes for a name."""
    host.process(7, "x", "999\t999\t999\t999")
    (host.proc / "7/comm").write_bytes(b"\xff\xfe\n")
    (host.proc / "7/cgroup").write_bytes(b"0::/\xff\n")
    (host.proc / "\u00b2").mkdir()
    assert said(ALL) == [
        f"the process ?? runs as user id 999 on this host: it can read {OF_POSTGRESQL}",
    ]


def test_digits_that_are_no_number_are_nobodys(host: Host) -> None:
    host.said = {"passwd": "bob:x:\u00b2:1::/:/bin/sh\nal\x1bice:x:1000:1::/:/bin/sh\n", "group": ""}
    assert said(ALL) == [f"user id 1000 is al?ice on this host: al?ice can read {OF_TEMPORAL}"]


def test_processes_that_can_not_be_looked_at_are_said(host: Host) -> None:
    host.proc.rmdir()
    found = look(ALL, ALL)
    assert found.shared == []
    assert found.unasked.startswith("whether a process runs as one of the ids of containers is not known: ")


def test_our_own_containers_are_no_strangers(host: Host) -> None:
    host.process(7, "postgres", "999\t999\t999\t999", OURS)
    assert said(ALL) == []
    host.engine = StepError("no answer")  # then nobody can tell whose a container is
    assert said(ALL) == []
    host.process(8, "sh", "999\t999\t999\t999")
    assert len(said(ALL)) == 1


def test_whom_an_account_explains_is_said_once(host: Host) -> None:
    host.said["passwd"] = "alice:x:1000:1000::/:/bin/sh\n"
    host.process(7, "bash", "1000\t1000\t1000\t1000")
    assert len(said(ALL)) == 1


def test_very_many_that_have_a_number_are_some_and_a_count(host: Host) -> None:
    """Anybody whose number it is starts as many as he likes: no plan had an answer of this host any more."""
    for pid in range(1, 300):
        host.process(pid, f"x{pid}", "1000\t1000\t1000\t1000", THEIRS)
    host.process(300, "exporter", "999\t999\t999\t999")
    found = said(ALL)
    assert len(found) == accounts.MOST_NAMED + 2
    assert found[0].startswith("the process exporter runs as user id 999")
    assert found[-1] == f"{299 - accounts.MOST_NAMED} more have the number 1000 on this host"
