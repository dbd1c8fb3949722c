# ruff: noqa: E501 - words as hosts say them
"""Logins and forwards that a host refuses, for real: what it says is shown, and the remedy follows from that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from shlex import quote

import pytest

from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.topology import instances
from tests.lab.conftest import OVER_BOTH, Inventory, Variants

NAME = "said"  # a login of its own: the lab's stay as they are
SSHD = "/etc/ssh/sshd_config.d/00-said.conf"
BASHRC = f"/home/{NAME}/.bashrc"
CHANGES = [("user: deploy", f"user: {NAME}")]


@pytest.fixture(scope="module")
def host(lab: Lab, inventory: Inventory) -> Iterator[Host]:
    """The first host with a frontend, with that login."""
    found = lab.host(instances(load(inventory.path), Role.FRONTEND)[0].host.name)
    sh(
        found,
        f"useradd -m -s /bin/bash {NAME}; echo '{NAME} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{NAME}",
    )
    yield found
    sh(found, f"rm -f {SSHD} /etc/sudoers.d/{NAME}; systemctl reload ssh; userdel -rf {NAME} 2>/dev/null")


def sh(host: Host, text: str) -> None:
    host.must(["sh", "-c", text], timeout=300)


def login_shell(path: str) -> Callable[[Host], None]:
    return lambda host: sh(host, f"usermod -s {path} {NAME}")


def greeting(text: str) -> Callable[[Host], None]:
    return lambda host: sh(host, f"printf '%s\\n' {quote(text)} > {BASHRC}")


def sshd(text: str) -> Callable[[Host], None]:
    words = f"Match User {NAME}\\n{text}\\n"
    return lambda host: sh(host, f"printf '{words}' > {SSHD}; systemctl reload ssh; sleep 1")


def no_sudo(host: Host) -> None:
    sh(host, f"rm /etc/sudoers.d/{NAME}")


@pytest.fixture(autouse=True)
def _usual(host: Host) -> Iterator[None]:
    yield
    sh(host, f"usermod -s /bin/bash {NAME}; : > {BASHRC}; rm -f {SSHD}; systemctl reload ssh")
    sh(host, f"echo '{NAME} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{NAME}; sleep 1")


BY_HAND = "sudo -n python3 -V"
REFUSED = [
    ("nologin", login_shell("/usr/sbin/nologin"), "This account is currently not available.", "usermod -s /bin/bash"),
    ("false", login_shell("/bin/false"), "exit code 1", BY_HAND),
    ("true", login_shell("/bin/true"), "exit code 0", BY_HAND),
    ("a greeting that ends", greeting("echo Welcome; exit 3"), "exit code 3 after 'Welcome'", BY_HAND),
    ("no sudo", no_sudo, "a password is required", "--ask-sudo-password"),
    ("sftp", sshd("ForceCommand internal-sftp"), "This service allows sftp connections only.", "ForceCommand"),
    ("more than a key", sshd("AuthenticationMethods publickey,password"), "the key is taken", "by the key alone"),
    ("no key", sshd("PubkeyAuthentication no\\nPasswordAuthentication yes"), "no key is taken", "PubkeyAuthentication"),
    ("no session", sshd("MaxSessions 0"), "connect failed", "MaxSessions and ForceCommand"),
]  # fmt: skip


@OVER_BOTH
@pytest.mark.parametrize(
    ("plant", "said", "todo"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_login_that_is_refused_says_what_the_host_said(
    host: Host, variant: Variants, plant: Callable[[Host], None], said: str, todo: str
) -> None:
    plant(host)
    ran = variant(*CHANGES).run("status", "--host", host.name)
    assert ran.code == 3, ran.said
    assert said in ran.said
    assert todo in ran.said


@OVER_BOTH
@pytest.mark.parametrize(
    "plant",
    [login_shell("/bin/dash"), login_shell("/bin/rbash"), greeting("echo Welcome; echo to you >&2")],
    ids=["dash", "rbash", "a greeting"],
)
def test_shells_and_greetings_that_stand_in_nobodys_way(
    host: Host, variant: Variants, plant: Callable[[Host], None]
) -> None:
    plant(host)
    ran = variant(*CHANGES).run("status", "--host", host.name)
    assert ran.code == 0, ran.said


@OVER_BOTH
def test_a_greeting_does_not_keep_sudo_from_its_password(host: Host, variant: Variants) -> None:
    greeting("echo Welcome; echo to you >&2")(host)
    sh(host, f"echo '{NAME}:lab' | chpasswd; echo '{NAME} ALL=(ALL) ALL' > /etc/sudoers.d/{NAME}")
    run = variant(*CHANGES).run
    assert run("plan", "--ask-sudo-password", "--host", host.name, stdin="lab\n").code in {0, 1}
    wrong = run("plan", "--ask-sudo-password", "--host", host.name, stdin="wrong\n")
    assert wrong.code == 3
    assert f"sudo refused the password of {NAME} (one try was made)" in wrong.said


@pytest.mark.faults
@OVER_BOTH
def test_a_c_shell_is_a_login_shell_like_any_other(host: Host, variant: Variants) -> None:
    sh(host, "test -x /bin/tcsh || { apt-get update -q; apt-get install -qy tcsh; }")
    login_shell("/bin/tcsh")(host)
    ran = variant(*CHANGES).run("status", "--host", host.name)
    assert ran.code == 0, ran.said


@OVER_BOTH
def test_an_sshd_that_forbids_forwarding_is_named_and_not_the_cluster(host: Host, variant: Variants) -> None:
    sshd("AllowTcpForwarding no")(host)
    inventory = variant(*CHANGES)
    ran = inventory.run("smoke")
    assert ran.code == 3, ran.said
    frontend = load(inventory.path).host(host.name).internal + ":7233"
    assert f"{host.name}: no way through its ssh to {frontend}" in ran.said
    assert "administratively prohibited" in ran.said
    assert "AllowTcpForwarding" in ran.said
    assert f"--address {frontend}" in ran.said
    assert "is the cluster up" not in ran.said
