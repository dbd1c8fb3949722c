"""The emulated VM as a bed: reached over ssh alone, and its power cuts lose what was not flushed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from lab import keys
from lab.errors import LabError
from lab.process import Completed
from lab.vm import VM
from tests.lab import invariants

SLOW = 8  # an emulated CPU takes that many times as long, at least


@dataclass(frozen=True)
class VmHost:
    """What a case needs of a host, done over ssh."""

    vm: VM

    @property
    def name(self) -> str:
        return self.vm.name

    @property
    def ssh_address(self) -> str:
        return self.vm.ssh_address

    @property
    def ssh_port(self) -> int:
        return self.vm.ssh_port

    @property
    def internal_address(self) -> str:
        return self.vm.internal_address

    def words(self, argv: Sequence[str]) -> list[str]:
        """Return the words that run a command as root on the VM, with its input and output here."""
        return [*self.vm.ssh_command(), shlex.join(["sudo", "-n", *argv])]

    def exec(self, argv: Sequence[str], input: str | None = None, timeout: float = 60) -> Completed:  # noqa: A002 - as lab hosts call it
        return self.vm.ssh(["sudo", "-n", *argv], timeout * SLOW, input)

    def must(self, argv: Sequence[str], input: str | None = None, timeout: float = 60) -> str:  # noqa: A002  # as subprocess names it
        done = self.exec(argv, input, timeout)
        if done.returncode != 0:
            raise LabError(f"{self.name}: {shlex.join(argv)}: {done.stderr}")
        return done.stdout

    def power_cut(self) -> None:
        self.vm.power_cut()

    def reboot(self) -> None:
        self.vm.reboot()

    def reset(self) -> None:
        self.vm.restore()

    def pinned(self, address: str, port: int) -> str:
        public = (self.vm.place.root / f"{keys.HOST_KEY}.pub").read_text()
        return keys.known_hosts({address: public}, port)

    def look(self, rows: int | None) -> invariants.Look:
        words = self.words(["python3", "-", "-" if rows is None else str(rows)])
        return invariants.look_by(words)
