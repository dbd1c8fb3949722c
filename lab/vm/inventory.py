"""An inventory with the VM as its only host, beside the VM's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.keys import write_if_changed
from lab.spec import NOFILE, REGISTRY_NAME, USER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.vm.machine import VM

SHARDS = 16  # small: an emulated CPU takes its time for each one
TEXT = """\
# The lab's emulated VM as a whole cluster (`make lab-vm-up`), laid out as single.yaml.

cluster: vm
country: NO
provider: lab

ssh:
  user: {user}
  port: {port}
  keys: [id_ed25519]
  known_hosts: known_hosts

temporal:
  version: {temporal}
  ui: {ui}
  shards: {shards}
  namespaces:
    - {{name: billing, retention: 72h}}

postgres:
  version: {postgres}

images:
  registry: {registry} # the VM can't reach it: the images are on its disk
  digests:
{digests}
limits:
  nofile: {nofile}

hosts:
  {name}:
    address: {address}
    internal: {internal}
    class: NVMe-Series
    roles: [postgresql, history, matching, worker, frontend, ui]
    resources: {{vcpu: {vcpu}, memory: {memory_gib}GiB, disk: {{kind: unknown, size: 24GiB}}}}
"""


def write(vm: VM) -> None:
    """Write `inventory.yaml` into the VM's folder."""
    write_if_changed(vm.inventory, text(vm))


def text(vm: VM) -> str:
    """The inventory: all roles on the VM, images by the digests that its disk holds."""
    return TEXT.format(
        user=USER, port=vm.ssh_port, shards=SHARDS, registry=REGISTRY_NAME, nofile=NOFILE, name=vm.name,
        temporal=_tag(vm.images, "temporalio/server"), ui=_tag(vm.images, "temporalio/ui"),
        postgres=_tag(vm.images, "postgres"), address=vm.ssh_address, internal=vm.internal_address,
        vcpu=vm.vcpu, memory_gib=vm.memory_mb // 1024,
        digests="".join(f"    {name}: {digest}\n" for name, digest in sorted(vm.images.items())),
    )  # fmt: skip


def _tag(images: Mapping[str, str], repository: str) -> str:
    return next(tag for name, _, tag in (image.partition(":") for image in images) if name == repository)
