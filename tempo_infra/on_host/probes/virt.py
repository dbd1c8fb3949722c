"""What kind of machine this is: a virtual machine, a container sold as one, or metal."""

from __future__ import annotations

from dataclasses import dataclass

from tempo_infra.on_host.probes.reading import Reading, Unread, attempt, read_file
from tempo_infra.on_host.shell import run


@dataclass(frozen=True, slots=True)
class Virt:
    vm: Reading[str]  # "kvm", "none", …: systemd-detect-virt's words
    container: Reading[str]  # "none", "lxc", "openvz", "docker", …
    vendor: Reading[str]  # what the machine's firmware calls itself
    product: Reading[str]


def parse(text: str) -> str:
    """Return the one word that systemd-detect-virt answers; it exits with 1 when the word is "none"."""
    word = text.strip()
    if not word or len(word.split()) != 1:
        raise Unread(f"systemd-detect-virt answered {word!r}")
    return word


def _detect(option: str) -> str:
    return parse(run(["systemd-detect-virt", option], deadline_s=5).out)


def read() -> Virt:
    return Virt(
        vm=attempt(lambda: _detect("--vm")),
        container=attempt(lambda: _detect("--container")),
        vendor=attempt(lambda: read_file("/sys/class/dmi/id/sys_vendor").strip()),
        product=attempt(lambda: read_file("/sys/class/dmi/id/product_name").strip()),
    )
