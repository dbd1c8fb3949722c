"""Who is logged in, from a process table that a test wrote, and the line for the system's log."""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path

import pytest

from tempo_infra.on_host import actor
from tempo_infra.on_host.journal import Entry, record
from tempo_infra.on_host.layout import Layout

ME = pwd.getpwuid(os.getuid()).pw_name


def process(root: Path, pid: int, parent: int, environ: str = "", loginuid: str = "") -> None:
    folder = root / f"proc/{pid}"
    folder.mkdir(parents=True)
    (folder / "stat").write_text(f"{pid} (a (b) c) S {parent} {'0 ' * 17}900 0\n")
    (folder / "environ").write_text(environ.replace(" ", "\0").replace("_", " ").replace("SSH ", "SSH_"))
    (folder / "loginuid").write_text(loginuid)


SHELL = "HOME=/ SSH_CONNECTION=203.0.113.7_50000_10.0.0.1_22"
FORGED = "SSH_CONNECTION=192.0.2.99_1_2_3"


@pytest.mark.parametrize(
    ("sudo_user", "loginuid", "environments", "expected"),
    [
        ("deploy", "0", (SHELL, ""), "root from 203.0.113.7"),  # the audit's word goes before sudo's
        ("deploy", "4294967295", (SHELL, ""), "deploy from 203.0.113.7"),
        ("deploy", "", ("HOME=/", ""), "deploy"),
        ("deploy", "", (SHELL, FORGED), "deploy from 203.0.113.7"),  # what a user sets is below
        ("", "", ("SSH_CONNECTION=2001:db8::7_1_2_3", ""), f"{ME} from 2001:db8::7"),
        ("", "", ("SSH_CONNECTION=fe80::1%eth0_1_2_3", ""), f"{ME} from fe80::1%eth0"),
        ("", "", ("SSH_CONNECTION=\x1b[2J_1_2_3", ""), ME),
        ("", "4000000000", ("", ""), "user id 4000000000"),
    ],
)
def test_the_login_is_what_the_host_knows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sudo_user: str,
    loginuid: str,
    environments: tuple[str, str],
    expected: str,
) -> None:
    monkeypatch.setenv("SUDO_USER", sudo_user)
    shell, ours = environments
    process(tmp_path, 300, 200, ours, loginuid)
    process(tmp_path, 200, 100, shell)
    process(tmp_path, 100, 1)
    assert actor.login(tmp_path, 300) == expected


def test_a_process_table_without_an_end_is_not_followed_for_ever(tmp_path: Path) -> None:
    process(tmp_path, 300, 300)
    assert actor.login(tmp_path, 300)
    assert actor.login(tmp_path / "none", 300)


def test_a_decision_is_one_line_in_the_systems_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    layout = Layout(Path())
    Path("dev").mkdir()
    layout.state.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind("dev/log")
        log.settimeout(2)
        record(layout, Entry("r1", "stage", "done"))
        record(
            layout,
            Entry(
                "r1",
                "confirm",
                "confirmed",
                "a" * 64,
                detail="he\nalth \x1b[2J\u202eø\udcff",
                who="kari@x",
                login="ola from ::1",
            ),
        )
        assert log.recv(4096) == (
            b"<37>tempo-infra: run r1 by kari@x (ola from ::1): confirmed aaaaaaaaaaaa he alth ?[2J?\xc3\xb8?"
        )


def test_a_log_that_takes_nothing_holds_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dev").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind("dev/log")
        for _ in range(2000):  # the queue of a datagram socket is short
            actor.tell_syslog(Path(), "x" * 1000)
    actor.tell_syslog(Path("nowhere"), "x")
