"""What a planted fault is, and the host that it is planted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from shlex import quote

from lab.hosts import Host
from lab.vm import VM
from tempo_infra.inventory.cluster import Cluster

VM_ROLE = "vm"  # planted in the emulated VM, not on the rack
DEADLINE_S = 120
KEPT = "/root/kept-by-planted-faults"


@dataclass(frozen=True)
class Site:
    """A host with root on it, and the cluster that it belongs to."""

    name: str
    cluster: Cluster
    machine: Host | VM

    def shell(self, text: str) -> str:
        """Run shell text as root; what it printed. LabError when it fails."""
        if isinstance(self.machine, VM):
            return self.machine.must(["sudo", "sh", "-c", text], timeout=DEADLINE_S)
        return self.machine.must(["sh", "-c", text], timeout=DEADLINE_S)

    @property
    def rack_host(self) -> Host:
        assert isinstance(self.machine, Host), "a fault of the rack"
        return self.machine

    @property
    def vm(self) -> VM:
        assert isinstance(self.machine, VM), "a fault of the VM"
        return self.machine


Plant = Callable[[Site], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """One fault: where it is planted, and the check that finds it.

    Every finding beyond the host's reviewed baseline has to belong to `check`, `also` or `may`; `check` finds
    it with `outcome`, and those of `also` find it, too.
    """

    name: str
    where: str  # a role of the rack, or VM_ROLE
    check: str
    outcome: str  # "warn" or "fail"; "unknown" where the fault hides what is wanted
    how: str  # it is planted, for the docs
    plant: Plant
    also: Mapping[str, str] = field(default_factory=dict)  # other checks, and why they can't be spared
    may: Mapping[str, str] = field(default_factory=dict)  # may find it, too, depending on the moment
    words: tuple[str, ...] = ()  # of the command
    inventory: tuple[tuple[str, str], ...] = ()  # changes of its text
    full: bool = False  # durable writes and load have to be measured; else --quick is enough
    fast: bool = False  # one of the few that `make test` plants


@contextmanager
def nothing(_site: Site) -> Iterator[None]:
    """The fault lies in the inventory, not on the host."""
    yield


@contextmanager
def done(site: Site, plant: str, heal: str) -> Iterator[None]:
    """Run one shell text now and another at the end."""
    site.shell(plant)
    try:
        yield
    finally:
        site.shell(heal)


def by_shell(plant: str, heal: str) -> Plant:
    """Make a fault of two shell texts."""
    return lambda site: done(site, plant, heal)


def setting(path: str, value: str) -> Plant:
    """Write one value into a file of /proc or /sys, and what was there, or chosen there, again."""
    keep = rf"sed 's/.*\[\(.*\)\].*/\1/' {path} > {KEPT}"
    return by_shell(f"{keep} && echo {quote(value)} > {path}", f"cat {KEPT} > {path} && rm {KEPT}")


def file_with(path: str, text: str) -> Plant:
    """Put a file where none is, with its folders; take both away again."""
    folder = path.rpartition("/")[0]
    made = f"test ! -e {path} && mkdir -p {folder} && printf '%s\\n' {quote(text)} > {path}"
    return by_shell(made, f"rm {path} && rmdir -p --ignore-fail-on-non-empty {folder}")
