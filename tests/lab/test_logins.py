"""Every kind of login that a VPS may offer, and host keys: what is refused is refused with what to do."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import faults
from lab.hosts import Lab
from tempo_infra.errors import UnreachableError
from tempo_infra.inventory import load
from tempo_infra.ssh import connect, forward, resolve
from tests.lab.conftest import OVER_BOTH, Variants

USER = r"user: deploy"


@pytest.fixture
def unpinned(lab: Lab) -> Iterator[Path]:
    path = lab.known_hosts.with_name("known_hosts-unpinned")
    path.write_text("# nothing pinned\n")
    yield path
    path.unlink()


@OVER_BOTH
def test_an_unknown_host_key_is_refused_before_login_and_trust_pins_it(
    lab: Lab, variant: Variants, unpinned: Path
) -> None:
    other = variant((r"known_hosts: known_hosts", f"known_hosts: {unpinned.name}"))
    ran = other.run("plan", "--host", "db-1")
    assert ran.code == 3
    assert "db-1" in ran.said
    assert "the host key is not known" in ran.said
    offered = re.search(r"SHA256:\S+", ran.said)
    assert offered is not None
    assert f"tempo-infra trust -i {other.path} db-1" in ran.said
    wrong = other.run("trust db-1", "--fingerprint", "SHA256:wrong")
    assert wrong.code == 3
    assert unpinned.read_text() == "# nothing pinned\n"
    assert other.run("trust db-1", "--fingerprint", offered[0]).code == 0
    assert other.run("plan", "--host", "db-1").code in {0, 1}


@OVER_BOTH
def test_a_changed_host_key_is_refused_with_both_fingerprints(lab: Lab, variant: Variants) -> None:
    with faults.wrong_host_key(lab.host("history-1")):
        ran = variant().run("plan")
    assert ran.code == 3
    assert "the host key has changed" in ran.said
    assert len(set(re.findall(r"SHA256:\S+", ran.said))) == 2
    assert re.search(r"tempo-infra trust -i \S+ history-1 --replace", ran.said), ran.said


@OVER_BOTH
def test_sudo_with_a_password_works_from_standard_input(variant: Variants) -> None:
    ran = variant((USER, "user: opspw")).run("plan", "--ask-sudo-password", "--host", "db-1", stdin="lab\n")
    assert ran.code in {0, 1}, ran.said


@OVER_BOTH
def test_a_wrong_sudo_password_is_tried_once_and_never_shown(lab: Lab, variant: Variants) -> None:
    host = lab.host("db-1")
    since = host.must(["date", "+%s"]).strip()
    ran = variant((USER, "user: opspw")).run(
        "plan", "--ask-sudo-password", "--host", "db-1", stdin="not-the-password\n"
    )
    assert ran.code == 3
    assert "sudo refused the password of opspw (one try was made)" in ran.said
    assert "not-the-password" not in ran.said
    journal = host.must(["journalctl", "--since", f"@{since}", "-o", "cat"])
    assert len(re.findall(r"pam_unix\(sudo:auth\): authentication failure", journal)) == 1
    assert "not-the-password" not in journal


@OVER_BOTH
@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("opspw", "password"),
        ("plain", "password"),
        ("reqtty", "requiretty"),
        ("nologin", "could not start work"),
        ("locked", "login as locked"),
        ("expired", "could not start work"),
    ],
)
def test_a_login_that_can_not_work_says_why_and_what_to_do(
    lab: Lab, variant: Variants, user: str, words: str
) -> None:
    ran = variant((USER, f"user: {user}")).run("plan", "--host", "db-1")
    # Systemd counts the manager of an expired account as a failed unit.
    lab.host("db-1").exec(["systemctl", "reset-failed"])
    assert ran.code == 3
    assert words in ran.said
    assert "Traceback" not in ran.said


@OVER_BOTH
@pytest.mark.parametrize("user", ["ops", "noisy", "dash", "root"])
def test_logins_that_work(fresh: object, variant: Variants, user: str) -> None:
    """Shell noise, another login shell, root itself."""
    ran = variant((USER, f"user: {user}")).run("plan", "--host", "db-1")
    assert ran.code == 0, ran.said
    assert ran.out.endswith("\nnothing to do on 1 host\n")


@OVER_BOTH
def test_a_jump_host_leads_to_an_internal_address(
    lab: Lab, fresh: object, variant: Variants, unpinned: Path
) -> None:
    known = unpinned
    key = next(line for line in lab.known_hosts.read_text().splitlines() if line.startswith("127.0.1.13 "))
    known.write_text(lab.known_hosts.read_text() + key.replace("127.0.1.13", "10.99.0.13") + "\n")
    inside = variant(
        (r"known_hosts: known_hosts", f"known_hosts: {known.name}\n  proxy_jump: deploy@127.0.1.11"),
        (r"address: 127\.0\.1\.13", "address: 10.99.0.13"),
    )
    ran = inside.run("plan", "--host", "db-1")
    assert ran.code == 0, ran.said


@OVER_BOTH
def test_the_key_to_trust_is_that_of_the_host_behind_the_jump(
    lab: Lab, variant: Variants, unpinned: Path
) -> None:
    """127.0.0.1 is somebody else here, and the jump host itself there."""
    behind = variant(
        (r"known_hosts: known_hosts", f"known_hosts: {unpinned.name}\n  proxy_jump: deploy@127.0.1.11"),
        (r"address: 127\.0\.1\.13", "address: 127.0.0.1"),
    )
    ran = behind.run("trust", "db-1", "--fingerprint", "SHA256:none")
    assert ran.code == 3
    assert "the host key of the jump host 127.0.1.11 is not known" in ran.said
    jump = next(line for line in lab.known_hosts.read_text().splitlines() if line.startswith("127.0.1.11 "))
    unpinned.write_text(f"{jump}\n")
    offered = re.search(r"SHA256:\S+", behind.run("trust", "db-1", "--fingerprint", "SHA256:none").said)
    assert offered
    assert behind.run("trust", "db-1", "--fingerprint", offered[0]).code == 0
    assert unpinned.read_text().splitlines()[1] == jump.replace("127.0.1.11 ", "127.0.0.1 ")


@OVER_BOTH
def test_an_address_behind_a_host_is_reached_through_it(lab: Lab, variant: Variants) -> None:
    """As `smoke` reaches the frontend; a port where nobody listens ends the connection."""
    front = load(variant().path).host("front-1")
    with forward(front, (lab.host("db-1").internal_address, 22)) as port:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                assert client.recv(8) == b"SSH-2.0-"
    with (
        forward(front, (lab.host("db-1").internal_address, 9)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=20) as client,
    ):
        assert client.recv(8) == b""


@OVER_BOTH
def test_a_program_s_own_exit_code_is_told_from_a_lost_connection(lab: Lab, variant: Variants) -> None:
    """255 is what `ssh` says for its own failures, too."""
    host = load(variant().path).host("db-1")
    with connect(resolve(host.name, host.ssh)) as connection:
        for code in (0, 3, 255):
            done = connection.run(["sh", "-c", f"echo out; echo err >&2; exit {code}"], deadline_s=20)
            assert (done.returncode, done.stdout, done.stderr) == (code, b"out\n", b"err\n")
        words = ["a b", "$HOME", "'; exit 9", '"', "\\", "*", "é"]
        echoed = connection.run(["printf", "%s\\n", *words], deadline_s=20).stdout.decode()
        assert echoed.splitlines() == words
        large = b"x" * 300_000
        assert connection.run(["cat"], stdin=large, deadline_s=60).stdout == large
        with pytest.raises(UnreachableError, match=r"no answer for 0\.5 s"):
            connection.run(["sleep", "5"], deadline_s=0.5)
