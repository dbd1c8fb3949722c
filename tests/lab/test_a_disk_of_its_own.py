"""The database's own disk: what is refused while it is full, and what does not start while it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tempo_infra.topology import store
from tests.lab.conftest import BRISK, Inventory, Variants, containers
from tests.lab.test_preflight import less_memory

pytestmark = pytest.mark.faults
FOLDER, LINK = "/srv/tempo/postgres", "/var/lib/tempo-infra/pgdata"
FSTAB = f"/dev/none {FOLDER} ext4 defaults,nofail,x-systemd.device-timeout=2s 0 2"


@contextmanager
def full(host: Host) -> Iterator[None]:
    """The database on a small file system without room, for who looks; its server goes on in the other."""
    script = (
        "mkdir -p /mnt/full && mount -t tmpfs -o size=900m,mode=0755 tmpfs /mnt/full && "
        f"cp -a {FOLDER}/. /mnt/full/ && mount --bind /mnt/full {FOLDER} && umount /mnt/full"
    )
    host.must(["sh", "-c", script])
    try:
        host.exec(["dd", "if=/dev/zero", f"of={FOLDER}/filler", "bs=1M"])
        yield
    finally:
        host.must(["umount", "-l", FOLDER])


def test_a_full_disk_is_refused_before_anything_is_touched(
    lab: Lab, brisk: Inventory, variant: Variants
) -> None:
    host = lab.host(store(load(brisk.path)).writer.name)
    changed = variant(BRISK, less_memory(host))
    before = {name: one["Id"] for name, one in containers(lab, host.name).items()}
    with full(host):
        ran = changed.run("provision")
        assert ran.code == 1, ran.said
        assert f"the disk of {FOLDER} has 0 MiB left, PostgreSQL wants 64 MiB" in " ".join(ran.said.split())
    assert {name: one["Id"] for name, one in containers(lab, host.name).items()} == before


def test_after_a_boot_without_the_disk_nothing_is_made_and_with_it_all_goes_on(
    lab: Lab, brisk: Inventory
) -> None:
    host = lab.host(store(load(brisk.path)).writer.name)
    database = containers(lab, host.name)["postgresql"]["Id"]
    target = host.must(["readlink", LINK]).strip()
    host.must(["sh", "-c", f"mv {FOLDER} {FOLDER}-away && mkdir {FOLDER} && echo '{FSTAB}' >> /etc/fstab"])
    try:
        host.reboot()
        says = "journalctl -b -u tempo-infra.service | grep -q 'is its disk mounted'"
        host.must(["sh", "-c", f"for n in $(seq 60); do {says} && exit 0; sleep 1; done; exit 1"], timeout=90)
        running = host.must(["docker", "ps", "--format", "{{.ID}}", "--no-trunc"]).split()
        assert database not in running
        assert host.must(["find", FOLDER]).split() == [FOLDER]
        plan = " ".join(brisk.run("plan").said.split())
        assert f"/etc/fstab mounts a disk at {FOLDER}, and nothing is mounted there" in plan
    finally:
        host.must(
            ["sh", "-c", f"sed -i '\\|{FOLDER}|d' /etc/fstab; rmdir {FOLDER}; mv {FOLDER}-away {FOLDER}"]
        )
    ready = f"docker exec {database} pg_isready -q"
    host.must(["sh", "-c", f"for n in $(seq 90); do {ready} && exit 0; sleep 1; done; exit 1"], timeout=120)
    assert host.must(["readlink", LINK]).strip() == target
    brisk.provision()
