"""What the emulated VPS is: name, addresses, sizes. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from lab.paths import Home

NAME = "vm-1"
IMAGE = "vm"  # the folder in lab/images
SSH_ADDRESS = "127.0.1.100"  # loopback, beyond the rack's addresses
INTERNAL_ADDRESS = "10.0.2.15"  # static in the guest, see images/vm
MEMORY_MB = 4096
VCPU = 2
NICE = 5  # an emulated CPU takes a whole one: the rest of the machine goes first
SNAPSHOT = "ready"


@dataclass(frozen=True)
class Disk:
    """A disk of the guest: its name is the file's, the drive's and the serial number that the guest sees."""

    name: str
    label: str
    size: str

    @property
    def base(self) -> str:
        """The file system as it was made; never written again."""
        return f"{self.name}.ext4"

    @property
    def ready(self) -> str:
        """What the first boot wrote on top, and the machine's memory at its end."""
        return f"{self.name}-ready.qcow2"

    @property
    def live(self) -> str:
        """The disk that the running guest writes."""
        return f"{self.name}-live.qcow2"


ROOT = Disk("root", "vm-root", "24G")
DATA = Disk("data", "vm-srv", "24G")
DISKS = (ROOT, DATA)


@dataclass(frozen=True)
class Place:
    """Where the VM's things lie: keys, inventory and sockets in one folder, disks by content in the cache."""

    root: Path
    cache: Path

    @classmethod
    def of(cls, home: Home) -> Place:
        return cls(home.root / "vm", home.cache / "vm")

    @property
    def key(self) -> Path:
        return self.root / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.root / "known_hosts"

    @property
    def host_key(self) -> Path:
        return self.root / "ssh_host_ed25519_key"

    @property
    def description(self) -> Path:
        return self.root / "vm.json"

    @property
    def pid(self) -> Path:
        return self.root / "qemu.pid"

    @property
    def qmp(self) -> Path:
        return self.root / "qmp.sock"

    @property
    def console(self) -> Path:
        return self.root / "console.log"

    @property
    def log(self) -> Path:
        return self.root / "qemu.log"
