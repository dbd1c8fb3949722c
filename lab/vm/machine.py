"""The emulated VPS as tests and the lab's commands use it."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.hosts import Host
from lab.paths import Home
from lab.process import Completed, run
from lab.spec import USER
from lab.vm import qemu
from lab.vm.spec import DISKS, INTERNAL_ADDRESS, MEMORY_MB, NAME, SSH_ADDRESS, VCPU, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

BOOT_DEADLINE = 300.0  # an emulated boot takes 20 to 60 s, more on a busy machine
PANIC = b"Kernel panic - not syncing"
COMMAND_DEADLINE = 60.0


@dataclass(frozen=True)
class VM:
    """The emulated VPS as vm.json describes it."""

    place: Place
    disks: Path  # the folder of its kernel and disks, named by their content
    ssh_port: int
    images: Mapping[str, str]  # official name to the digest under which the guest has it
    name: str = NAME
    ssh_address: str = SSH_ADDRESS
    internal_address: str = INTERNAL_ADDRESS
    memory_mb: int = MEMORY_MB
    vcpu: int = VCPU

    @property
    def inventory(self) -> Path:
        """An inventory with this VM as its only host."""
        return self.place.root / "inventory.yaml"

    def ssh(
        self, argv: Sequence[str], timeout: float = COMMAND_DEADLINE, stdin: str | None = None
    ) -> Completed:
        """Run a command over ssh, with the pinned host key; its exit code is the caller's to judge."""
        return run([*self.ssh_command(), shlex.join(argv)], timeout=timeout, check=False, stdin=stdin)

    def must(self, argv: Sequence[str], timeout: float = COMMAND_DEADLINE, stdin: str | None = None) -> str:
        """As `ssh`, but a failure raises LabError; returns what was printed."""
        done = self.ssh(argv, timeout, stdin)
        if done.returncode != 0:
            raise LabError(
                f"{self.name}: exit code {done.returncode}: {shlex.join(argv)}\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def converse(self, argv: Sequence[str], answer: Callable[[], str]) -> None:
        """Run a command, wait for its first line, then answer it with one made at that moment."""
        words = [*self.ssh_command(), shlex.join(argv)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None  # noqa: S101 - for the type checker; both are pipes
            assert process.stdout is not None  # noqa: S101 - as above
            process.stdout.readline()
            process.stdin.write(f"{answer()}\n")
            process.stdin.flush()
        if process.returncode != 0:
            raise LabError(f"{self.name}: exit code {process.returncode}: {shlex.join(argv)}")

    def ssh_command(self) -> list[str]:
        """The words that open an ssh connection to the VM."""
        login = Host(
            self.name, "", self.ssh_address, self.ssh_port, self.internal_address,
            self.memory_mb, self.vcpu, self.place.root,
        )  # fmt: skip
        return login.ssh_command(USER)

    def boot_id(self) -> str:
        """The id of the present boot."""
        return self.must(["cat", "/proc/sys/kernel/random/boot_id"], timeout=20).strip()

    def running(self) -> bool:
        """Whether the VM's emulator runs."""
        return bool(qemu.running(self.place))

    def ready(self) -> bool:
        """Whether an operator can log in and the VM's Docker engine answers."""
        return self._speaks_ssh() and self._does(["sudo", "-n", "docker", "info", "--format", "ok"])

    def wait(self, timeout: float = BOOT_DEADLINE) -> None:
        """Wait until an operator can log in and the VM's Docker engine answers.

        The emulated processor makes the guest's kernel panic now and then; then the VM is switched on again.
        """
        end = time.monotonic() + timeout
        while not self.ready():
            if PANIC in self.place.console.read_bytes():  # of this start: the emulator begins a new file
                self.stop()
                self._start(restore=False)
            if not self.running():
                raise LabError(
                    f"{self.name}: the emulator has ended:\n{self.place.log.read_text(errors='replace')}"
                )
            if time.monotonic() > end:
                raise LabError(
                    f"{self.name}: no login or no Docker after {timeout:.0f} s: {self.place.console}"
                )
            time.sleep(0.5)  # each try is a login, work for an emulated CPU

    def restore(self) -> None:
        """Fresh disks and memory as after the first boot, in seconds; what was there is gone."""
        self.stop()
        for disk in DISKS:
            copy = ["cp", "--reflink=auto", "--sparse=always"]
            run([*copy, str(self.disks / disk.ready), str(self.disks / disk.live)], timeout=120)
        self._start(restore=True)
        self._wait_for_login()
        self.set_clock()
        self.wait()

    def boot(self, timeout: float = BOOT_DEADLINE) -> None:
        """Switch the VM on: it boots from its disks as they are."""
        self._start(restore=False)
        self.wait(timeout)

    def stop(self) -> None:
        """Cut the power. What the guest has not flushed to its disks is lost."""
        qemu.stop(self.place)

    def power_cut(self) -> None:
        """Off without warning, and on again."""
        self.stop()
        self.boot()

    def reboot(self, timeout: float = BOOT_DEADLINE) -> None:
        """An orderly reboot, until the VM is back with another boot id."""
        before = self.boot_id()
        self.ssh(["sudo", "systemctl", "reboot"], timeout=30)
        end = time.monotonic() + timeout
        while not (
            self._speaks_ssh() and self._does(["grep", "-qvx", before, "/proc/sys/kernel/random/boot_id"])
        ):
            if time.monotonic() > end:
                raise LabError(f"{self.name}: did not reboot in {timeout:.0f} s: {self.place.console}")
            time.sleep(0.2)
        self.wait(timeout)

    def set_clock(self) -> None:
        """Set the guest's clock, which stands in the past after a restore, from its hardware clock."""
        self.must(["sudo", "-n", "hwclock", "--hctosys", "--utc"])

    def _start(self, *, restore: bool) -> None:
        live = {disk.name: self.disks / disk.live for disk in DISKS}
        qemu.start(self.place, qemu.command(self.place, self.disks, self.ssh_port, live, restore=restore))

    def _wait_for_login(self) -> None:
        end = time.monotonic() + 60
        while not (self._speaks_ssh() and self._does(["true"])):
            if time.monotonic() > end:
                raise LabError(f"{self.name}: no ssh login 60 s after the restore: {self.place.console}")
            time.sleep(0.1)

    def _does(self, argv: Sequence[str]) -> bool:
        try:
            return self.ssh(argv, timeout=30).returncode == 0
        except LabError:
            return False

    def _speaks_ssh(self) -> bool:
        """The emulator takes connections before the guest does: only a greeting counts."""
        try:
            with socket.create_connection((self.ssh_address, self.ssh_port), timeout=3) as connection:
                connection.settimeout(3)
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False


def load(home: Home | None = None) -> VM:
    """The VM as `vm-up` left it."""
    place = Place.of(home or Home.locate())
    try:
        told = json.loads(place.description.read_text())
    except FileNotFoundError:
        raise LabError("there is no VM: python3 -m lab vm-up") from None
    return VM(place, place.cache / told["disks"], told["ssh_port"], told["images"])


def describe(vm: VM) -> str:
    """The text of vm.json."""
    told = {"version": 1, "disks": vm.disks.name, "ssh_port": vm.ssh_port, "images": dict(vm.images)}
    return json.dumps(told, indent=2) + "\n"
