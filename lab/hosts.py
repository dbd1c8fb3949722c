"""Lab hosts: starting them, and what tests do with them.

lab = hosts.load()
lab.host("db-1").exec(["docker", "ps"])
lab.host("db-1").power_cut()
lab.reset()
"""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lab import container, keys
from lab.errors import LabError
from lab.paths import Home
from lab.process import Completed, run
from lab.spec import NOFILE, SSH_PORT, USER, HostSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from lab.images import Image
    from lab.steps import Step

READY = "sudo -n docker info --format ok"
BOOT_DEADLINE = 60.0
SECOND_SSH_PORT = 2222


@dataclass(frozen=True)
class Host:
    """A lab host as lab.json describes it."""

    name: str
    container: str
    ssh_address: str
    ssh_port: int
    internal_address: str
    memory_mb: int
    vcpu: int
    root: Path

    def exec(self, argv: Sequence[str], input: str | None = None, timeout: float = 60) -> Completed:  # noqa: A002 - subprocess calls it so
        """Run a command as root in the host, past ssh; its exit code is the caller's to judge."""
        interactive = ["-i"] if input is not None else []
        return run(
            ["docker", "exec", *interactive, self.container, *argv],
            stdin=input,
            timeout=timeout,
            check=False,
        )

    def must(self, argv: Sequence[str], input: str | None = None, timeout: float = 60) -> str:  # noqa: A002  # as subprocess names it
        """As `exec`, but a failure raises LabError; returns what was printed."""
        done = self.exec(argv, input, timeout)
        if done.returncode != 0:
            raise LabError(
                f"{self.name}: exit code {done.returncode}: {' '.join(argv)}\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def ssh(self, words: Sequence[str], user: str = USER, timeout: float = 60) -> Completed:
        """Run a command over ssh, with the pinned host key."""
        return run([*self.ssh_command(user), *words], timeout=timeout, check=False)

    def ssh_command(self, user: str = USER) -> list[str]:
        """The words that open an ssh connection to the host."""
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self.root / "known_hosts"),
            "GlobalKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "ConnectTimeout": "5",
            "LogLevel": "ERROR",
        }
        chosen = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        key = ["-i", str(self.root / "id_ed25519"), "-p", str(self.ssh_port)]
        return ["ssh", "-F", "/dev/null", *chosen, *key, f"{user}@{self.ssh_address}"]

    def boot_id(self) -> str:
        """The id of the present boot."""
        return self.must(["cat", "/proc/sys/kernel/random/boot_id"], timeout=10).strip()

    def wait(self, timeout: float = BOOT_DEADLINE) -> None:
        """Wait until an operator can log in and the host's Docker engine answers."""
        _until(self.ready, timeout, f"{self.name}: no ssh login or no Docker engine")

    def ready(self) -> bool:
        """Whether an operator can log in and the host's Docker engine answers."""
        if not _speaks_ssh(self.ssh_address, self.ssh_port):
            return False
        try:
            return self.ssh([READY], timeout=10).returncode == 0
        except LabError:
            return False

    def reboot(self, timeout: float = BOOT_DEADLINE) -> None:
        """An orderly reboot, until the host is back with another boot id."""
        before = self.boot_id()
        self.exec(["systemctl", "reboot"], timeout=20)
        _until(lambda: self._boot_id_or_empty() not in ("", before), timeout, f"{self.name}: did not reboot")
        self.wait(timeout)

    def power_cut(self, timeout: float = BOOT_DEADLINE) -> None:
        """Off without warning, and on again. (The page cache survives: no test for fsync.)"""
        run(["docker", "kill", self.container])
        run(["docker", "start", self.container])
        self.wait(timeout)

    def reset(self, *, images: bool = False) -> None:
        """Give the host an empty disk; `images` drops what it has pulled as well."""
        container.recreate(self.root, self.name, self.container, images=images)
        self.wait()

    def pinned(self, address: str, port: int) -> str:
        """The known_hosts line for reaching this host by another way, such as a relay."""
        public = self.root / "hosts" / self.name / f"{keys.HOST_KEY}.pub"
        return keys.known_hosts({address: public.read_text()}, port)

    def pause(self) -> None:
        """Freeze the host: connections stay open, nothing answers."""
        run(["docker", "pause", self.container])

    def unpause(self) -> None:
        """Let a frozen host go on."""
        run(["docker", "unpause", self.container])

    def _boot_id_or_empty(self) -> str:
        try:
            return self.boot_id()
        except LabError:
            return ""


@dataclass(frozen=True)
class Lab:
    """The running lab."""

    root: Path
    hosts: tuple[Host, ...]
    nofile: int
    registry: str
    images: tuple[str, ...]

    def host(self, name: str) -> Host:
        """The host of that name."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"no lab host {name!r}; there are {', '.join(host.name for host in self.hosts)}")

    @property
    def key(self) -> Path:
        return self.root / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.root / "known_hosts"

    @property
    def ca(self) -> Path:
        return self.root / "ca.crt"

    def reset(self, names: Iterable[str] = (), *, images: bool = False) -> None:
        """Give hosts (all, if none is named) an empty disk, side by side."""
        chosen = [self.host(name) for name in names] or list(self.hosts)
        with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
            for done in [pool.submit(host.reset, images=images) for host in chosen]:
                done.result()


def load(home: Home | None = None) -> Lab:
    """The lab as `up` left it."""
    home = home or Home.locate()
    try:
        told = json.loads(home.description.read_text())
    except FileNotFoundError:
        raise LabError("there is no lab: python3 -m lab up") from None
    return Lab(
        root=home.root,
        hosts=tuple(Host(**host, root=home.root) for host in told["hosts"]),
        nofile=told["nofile"],
        registry=told["registry"]["address"],
        images=tuple(told["images"]),
    )


def describe(lab: Lab) -> str:
    """The text of lab.json."""
    hosts = [{name: value for name, value in asdict(host).items() if name != "root"} for host in lab.hosts]
    told = {
        "version": 1,
        "user": USER,
        "key": "id_ed25519",
        "known_hosts": "known_hosts",
        "ca": "ca.crt",
        "nofile": lab.nofile,
        "registry": {"address": lab.registry},
        "images": list(lab.images),
        "hosts": hosts,
    }
    return json.dumps(told, indent=2) + "\n"


def from_spec(home: Home, spec: HostSpec, port: int) -> Host:
    """The host that `spec` asks for."""
    return Host(
        name=spec.name,
        container=spec.container,
        ssh_address=spec.ssh_address,
        ssh_port=port,
        internal_address=spec.internal_address,
        memory_mb=spec.memory_mb,
        vcpu=spec.vcpu,
        root=home.root,
    )


def start(home: Home, spec: HostSpec, port: int, image: Image, step: Step) -> Host:
    """Have the host running and ready for an operator."""
    container.ensure(home, spec, port, image, step)
    host = from_spec(home, spec, port)
    if not host.ready():
        step.working("waiting for ssh and Docker")
        host.wait()
    return host


def ssh_port(home: Home) -> int:
    """The port of all hosts: the present one, else 22, or 2222 where an sshd is on all addresses."""
    if home.description.exists():
        return load(home).hosts[0].ssh_port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.1.250", SSH_PORT))
            probe.listen()
        except OSError:
            return SECOND_SSH_PORT
    return SSH_PORT


def nofile(host: Host) -> int:
    """The open-files limit for containers in the host: the usual one, or what the machine allows."""
    return min(NOFILE, int(host.must(["sh", "-c", "ulimit -Hn"]).replace("unlimited", str(NOFILE))))


def _speaks_ssh(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            connection.settimeout(2)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _until(condition: Callable[[], bool], timeout: float, otherwise: str) -> None:
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"{otherwise} after {timeout:.0f} s")
        time.sleep(0.1)
