"""Reading a host's resources for its inventory: what it has, not what it should do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tempo_infra.deploy.facts import gather
from tempo_infra.deploy.session import Sudo
from tempo_infra.errors import TempoInfraError, UnreachableError
from tempo_infra.inventory.cluster import Disk, Resources
from tempo_infra.on_host.facts import FactsOptions

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Host
    from tempo_infra.on_host.probes.disk import Device
    from tempo_infra.on_host.probes.reading import Reading

T = TypeVar("T")


def read_resources(host: Host) -> Resources:
    """Read vCPUs, memory and the data disk of a host. UnreachableError when one of them can't be read."""
    facts = gather([host], {host.name: FactsOptions(quick=True)}, Sudo())[host.name]
    if isinstance(facts, TempoInfraError):
        raise facts
    cpu, memory, disk = _known(host, facts.cpu), _known(host, facts.memory), _known(host, facts.disk)
    size_bytes = _known(host, disk.space).size_bytes
    return Resources(
        vcpu=_known(host, cpu.count),
        memory_bytes=_known(host, memory.total_bytes),
        disk=Disk(_kind(disk.devices.value or ()), size_bytes),
    )


def _known(host: Host, reading: Reading[T]) -> T:
    if reading.value is None:
        raise UnreachableError(f"could not be measured: {reading.unread}", host=host.name)
    return reading.value


def _kind(devices: tuple[Device, ...]) -> str:
    """Only a device named nvme says what it is; virtio tells nothing about what lies behind it."""
    return "nvme" if devices and all(device.name.startswith("nvme") for device in devices) else "unknown"
