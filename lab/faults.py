"""Faults for a running host, each a context manager that heals it at the end.

    with faults.registry_away(host):
        ...

Healing is patient: a host that was reset meanwhile has nothing left to heal.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from lab.process import run
from lab.spec import NETWORK, REGISTRY_INTERNAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.hosts import Host

HOST_KEY = "/etc/lab/ssh_host_ed25519_key"


@contextmanager
def ssh_dropped(host: Host) -> Iterator[None]:
    """A firewall mistake: packets to port 22 vanish, also those of open connections."""
    with _rules(host, [["INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP"]]):
        yield


@contextmanager
def port_blocked(
    source: Host, target: Host, port: int | None = None, how: Literal["DROP", "REJECT"] = "DROP"
) -> Iterator[None]:
    """`source`, and the containers on it, can't reach `port` (all, if none is named) of `target`."""
    which = ["-p", "tcp", "--dport", str(port)] if port else []
    to = ["-d", target.internal_address, *which, "-j", how]
    with _rules(source, [["OUTPUT", *to], ["FORWARD", *to]]):
        yield


@contextmanager
def vanished(host: Host, other: Host) -> Iterator[None]:
    """For `other`, the host and its containers are gone without a word: no packet goes either way."""
    away = ["-t", "raw", "-j", "DROP"]
    there, back = ["-d", other.internal_address], ["-s", other.internal_address]
    with _rules(
        host, [["PREROUTING", *there, *away], ["PREROUTING", *back, *away], ["OUTPUT", *there, *away]]
    ):
        yield


@contextmanager
def switched_off(host: Host) -> Iterator[None]:
    """No power: nothing answers. Afterwards it boots, and is waited for."""
    run(["docker", "kill", host.container])
    try:
        yield
    finally:
        run(["docker", "start", host.container])
        host.wait()


@contextmanager
def registry_away(host: Host) -> Iterator[None]:
    """Pulls are refused."""
    with _rules(host, [["OUTPUT", "-d", REGISTRY_INTERNAL, "-j", "REJECT"]]):
        yield


@contextmanager
def docker_stopped(host: Host) -> Iterator[None]:
    """The host's Docker engine is stopped (so are its containers, in the time that each has for it)."""
    try:
        host.must(["systemctl", "stop", "docker.socket", "docker.service"], timeout=150)
        yield
    finally:
        host.must(["systemctl", "start", "docker.socket", "docker.service"])


@contextmanager
def docker_hung(host: Host) -> Iterator[None]:
    """The host's Docker engine takes connections and never answers; containers go on."""
    host.must(["sh", "-c", "kill -STOP $(pidof dockerd)"])
    try:
        yield
    finally:
        host.exec(["sh", "-c", "kill -CONT $(pidof dockerd)"])


@contextmanager
def disk_full(host: Host, directory: str, size: str = "1m") -> Iterator[None]:
    """`directory` is a small file system of its own without a free byte (what was in it is hidden)."""
    host.must(["mkdir", "-p", directory])
    host.must(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory])
    try:
        host.exec(["dd", "if=/dev/zero", f"of={directory}/fill", "bs=64k"])
        yield
    finally:
        host.exec(["umount", "-l", directory])


@contextmanager
def read_only(host: Host, directory: str) -> Iterator[None]:
    """Nothing can be written in `directory`, which stays as it is."""
    host.must(["mkdir", "-p", directory])
    host.must(["mount", "--bind", directory, directory])
    host.must(["mount", "-o", "remount,bind,ro", directory])
    try:
        yield
    finally:
        host.exec(["umount", "-l", directory])


@contextmanager
def wrong_host_key(host: Host) -> Iterator[None]:
    """Another machine seems to answer at the host's address."""
    host.must(["sh", "-c", f"mkdir -m 700 /root/lab-key && mv {HOST_KEY}* /root/lab-key/"])
    host.must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", HOST_KEY])
    host.must(["systemctl", "restart", "ssh"])
    try:
        yield
    finally:
        host.exec(
            ["sh", "-c", "[ ! -d /root/lab-key ] || mv -f /root/lab-key/* /etc/lab/; rm -rf /root/lab-key"]
        )
        host.exec(["systemctl", "restart", "ssh"])
        host.wait()


@contextmanager
def frozen(host: Host) -> Iterator[None]:
    """The host stops dead: connections stay open, nothing answers."""
    host.pause()
    try:
        yield
    finally:
        host.unpause()


@contextmanager
def unplugged(host: Host) -> Iterator[None]:
    """The host's network cable is out, for ssh too. (Plugged in again, the interface has another name.)"""
    run(["docker", "network", "disconnect", NETWORK, host.container])
    try:
        yield
    finally:
        run(["docker", "network", "connect", "--ip", host.internal_address, NETWORK, host.container])
        host.wait()


@contextmanager
def slow_fsync(host: Host, container: str, how: int | Literal["eio"]) -> Iterator[None]:
    """Each fsync of PostgreSQL takes `how` ms more, or fails; the service needs LAB_SLOW_FSYNC=1."""
    _set_fsync(host, container, str(how))
    try:
        yield
    finally:
        _set_fsync(host, container, "0")


def _set_fsync(host: Host, container: str, value: str) -> None:
    host.must(["docker", "exec", "-i", container, "sh", "-c", "cat > /tmp/slow-fsync-ms"], input=value)


@contextmanager
def _rules(host: Host, rules: Sequence[Sequence[str]]) -> Iterator[None]:
    for rule in rules:
        host.must(["iptables", "-w", "-I", *rule])
    try:
        yield
    finally:
        for rule in rules:
            host.exec(["iptables", "-w", "-D", *rule])
