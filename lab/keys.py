"""Keys that the controller makes: the operator's and each host's.

So known_hosts is complete before the first connection.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from lab.process import run
from lab.spec import MOST_HOSTS, REGISTRY_INTERNAL, REGISTRY_NAME, SSH_PORT, HostSpec, rack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lab.paths import Home

HOST_KEY = "ssh_host_ed25519_key"


def ensure(home: Home, hosts: Iterable[HostSpec], port: int) -> None:
    """Make what is missing and write what each host is given."""
    hosts = tuple(hosts)
    _keypair(home.key, "tempo-infra-lab")
    for host in hosts:
        _fill_input(home, host)
    public = {
        host.ssh_address: (home.host_input(host.name) / f"{HOST_KEY}.pub").read_text() for host in hosts
    }
    write_if_changed(home.known_hosts, known_hosts(public, port))


def known_hosts(public_keys: Mapping[str, str], port: int) -> str:
    """The text of known_hosts for address -> public key; a port other than 22 stands in brackets."""
    lines = []
    for address, key in public_keys.items():
        kind, body = key.split()[:2]
        lines.append(f"{address if port == SSH_PORT else f'[{address}]:{port}'} {kind} {body}\n")
    return "".join(lines)


def hosts_file(hosts: Iterable[HostSpec]) -> str:
    """Names that every lab host knows."""
    names = [(REGISTRY_INTERNAL, REGISTRY_NAME.partition(":")[0])]
    names += [(host.internal_address, host.name) for host in hosts]
    return "".join(f"{address} {name}\n" for address, name in names)


def write_if_changed(path: Path, text: str) -> None:
    """Write by rename, and only if the content differs."""
    if path.exists() and path.read_text() == text:
        return
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_text(text)
    new.rename(path)


def _fill_input(home: Home, host: HostSpec) -> None:
    folder = home.host_input(host.name)
    folder.mkdir(parents=True, exist_ok=True)
    _keypair(folder / HOST_KEY, host.name)
    write_if_changed(folder / "authorized_keys", home.key.with_suffix(".pub").read_text())
    write_if_changed(folder / "hosts", hosts_file(other for other in rack(MOST_HOSTS) if other != host))
    shutil.copyfile(home.ca, folder / "ca.crt")


def _keypair(path: Path, comment: str) -> None:
    if not path.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
