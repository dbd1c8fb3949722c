"""An inventory with the VM as its only host, beside the VM's keys.

With it comes a template of its own: a health check starts a process in a container, for an emulated CPU
seconds of work. As often as usual, six services' checks would take both CPUs whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.keys import write_if_changed
from lab.paths import CHECKOUT
from lab.spec import NOFILE, REGISTRY_NAME, USER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.vm.machine import VM

COMPOSE = CHECKOUT / "templates" / "docker-compose.yml.j2"
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
    """Write `inventory.yaml` and the template into the VM's folder."""
    write_if_changed(vm.inventory, text(vm))
    folder = vm.inventory.with_name("templates")
    folder.mkdir(exist_ok=True)
    write_if_changed(folder / COMPOSE.name, rarer_checks(COMPOSE.read_text()))


def rarer_checks(template: str) -> str:
    """The compose template with health checks once a minute, and time for each."""
    text = template
    for name, seconds in (("interval", 60), ("timeout", 30)):
        text, times = re.subn(rf"^(      {name}: )\d+s$", rf"\g<1>{seconds}s", text, flags=re.MULTILINE)
        if not times:
            raise LabError(f"{COMPOSE.name}: there is no {name} of a health check in it")
    return text


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
