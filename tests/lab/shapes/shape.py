"""A cluster's shape in a few letters: `PFHMWU` is one host with everything, `P FHMWU` two, `-` no host."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lab.hosts import Lab
from tempo_infra.on_host import ring
from tests.lab.conftest import Inventory, starts

ROLES = {
    "P": "postgresql",
    "F": "frontend",
    "H": "history",
    "M": "matching",
    "W": "worker",
    "U": "ui",
}
MEMBERS = "FHMW"
ENTRY = """
  {name}:
    address: {ssh}
    internal: {internal}
    class: C-Series
    roles: [{roles}]
    resources: {{vcpu: 2, memory: 4GiB, disk: {{kind: unknown, size: 20GiB}}}}
"""


@dataclass(frozen=True)
class Shape:
    """Which roles each place has; a place is a lab host, and its name in the file may be another one."""

    letters: str
    names: dict[int, str] = field(default_factory=dict)
    order: tuple[int, ...] = ()  # of the hosts in the file

    @property
    def places(self) -> dict[int, str]:
        return {n: one for n, one in enumerate(self.letters.split()) if one != "-"}

    def having(self, role: str) -> list[int]:
        return [n for n, one in self.places.items() if role in one]


@dataclass(frozen=True)
class Rack:
    """The lab hosts that the shapes are laid over, and the inventories of one cluster on them."""

    lab: Lab
    hosts: list[str]

    def inventory(self, shape: Shape) -> Inventory:
        """Write the file that says so; each shape has the same path, as an operator's file would."""
        base = (self.lab.root / "inventory.yaml").read_text().partition("\nhosts:")[0]
        text = base.replace("cluster: lab", "cluster: shapes")
        text += "\nrollout: {decide_after: 20s, soak: 1s}\n\nsecrets: {file: secrets-shapes.age}\n\nhosts:\n"
        places = shape.places
        for n in shape.order or places:
            host = self.lab.host(self.hosts[n])
            name = shape.names.get(n, self.hosts[n])
            roles = ", ".join(ROLES[letter] for letter in places[n])
            text += ENTRY.format(name=name, ssh=host.ssh_address, internal=host.internal_address, roles=roles)
        path = self.lab.root / "inventory-shapes.yaml"
        path.write_text(text)
        return Inventory(path)

    def address(self, place: int) -> str:
        return self.lab.host(self.hosts[place]).internal_address

    def members(self, shape: Shape) -> set[str]:
        """Who should be in the ring, as "role address"."""
        return {f"{ROLES[role]} {self.address(n)}" for role in MEMBERS for n in shape.having(role)}

    def ring(self, place: int) -> set[str]:
        """Who is in the ring, as one place's frontend sees it, likewise."""
        return {one.rpartition(":")[0] for one in ring.read(self.address(place), 7233)}

    def starts(self) -> dict[tuple[str, str], str]:
        """(host, service) -> the container and when it was started, of these hosts."""
        return starts(replace(self.lab, hosts=tuple(self.lab.host(name) for name in self.hosts)))

    def clear(self) -> None:
        """Give the hosts empty disks, and forget the cluster."""
        self.lab.reset(self.hosts)
        self.forget()

    def forget(self) -> None:
        for name in ("inventory-shapes.yaml", "secrets-shapes.age"):
            (self.lab.root / name).unlink(missing_ok=True)
