"""Hosts and keys that an authority vouches for: the system's ssh can, the built-in library can not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import files_only
from lab.hosts import Host, Lab
from lab.keys import HOST_KEY
from lab.many import PORT, many
from tests.lab.conftest import Ran, push_files

ON_HOST = "/run/lab-certificates"


@dataclass(frozen=True)
class Authority:
    """A host behind one address that shows a certificate, and a key that only its certificate lets in."""

    address: str
    folder: Path

    def push(self, transport: str, authority: str) -> Ran:
        known, inventory = self.folder / "known_hosts", self.folder / "inventory.yaml"
        key = (self.folder / authority).with_suffix(".pub").read_text()
        known.write_text(f"@cert-authority [{self.address}]:{PORT} {key}")
        text = files_only.inventory(
            [(self.address, PORT)],
            [self.address],
            key=self.folder / "operator",
            known_hosts=known,
            transport=transport,
        )
        inventory.write_text(text)
        return push_files(inventory, timeout_s=120)


def keygen(*words: str | Path) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    host, folder = lab.hosts[0], tmp_path_factory.mktemp("certificates")
    for name in ("authority", "stranger", "operator"):
        keygen("-t", "ed25519", "-N", "", "-f", folder / name)
    keygen("-s", folder / "authority", "-I", "operator", "-n", "root", folder / "operator.pub")
    public = folder / "host.pub"
    public.write_text((host.root / "hosts" / host.name / f"{HOST_KEY}.pub").read_text())
    with many(host, 1, more=_trust(host, folder)) as [address]:
        yield Authority(address, folder)


def _trust(host: Host, folder: Path) -> str:
    keygen("-s", folder / "authority", "-I", "host", "-h", folder / "host.pub")
    host.must(["mkdir", "-p", ON_HOST])
    for name in ("host-cert.pub", "authority.pub"):
        host.exec(["tee", f"{ON_HOST}/{name}"], input=(folder / name).read_text())
    return f"HostCertificate {ON_HOST}/host-cert.pub\nTrustedUserCAKeys {ON_HOST}/authority.pub"


def test_certificates_both_ways_are_enough_for_the_systems_ssh(authority: Authority) -> None:
    ran = authority.push("openssh", "authority")
    assert (ran.code, ran.out) == (0, "1 changed, 0 unchanged\n"), ran.err


def test_a_host_that_another_authority_vouches_for_is_refused_with_its_fingerprint(
    authority: Authority,
) -> None:
    ran = authority.push("openssh", "stranger")
    assert ran.code == 1
    assert "the host key is not known" in ran.err
    assert "offered  ed25519 SHA256:" in ran.err


def test_the_library_says_that_nothing_is_pinned(authority: Authority) -> None:
    ran = authority.push("paramiko", "authority")
    assert ran.code == 1
    assert "the host key is not known" in ran.err
