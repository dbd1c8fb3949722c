"""The page of everything that the tool may touch is true: a provision touches that, and nothing else."""

from __future__ import annotations

import fnmatch
from pathlib import PurePosixPath

import pytest

from docs.footprint import Place, places
from lab.hosts import Host, Lab
from tempo_infra.inventory import load
from tempo_infra.topology import store
from tests.lab.conftest import Inventory

pytestmark = pytest.mark.faults

# The last two are mounts of their own on lab hosts; a look at the file system above them does not go in.
WHERE = ("/etc", "/usr", "/opt", "/srv", "/root", "/home", "/boot", "/var")
MOUNTED = ("/var/lib/tempo-infra", "/srv/tempo")
# What a host writes whoever works on it: logs, caches of the service manager, the engine's own store.
NOT_OURS = (
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/log",
    "/var/lib/systemd",
    "/var/lib/sudo",
    "/var/cache",
)
CONTENT_OF_DATA = "/srv/tempo/postgres/"


def files(host: Host) -> dict[str, str]:
    """Every file and link: its inode, size and times of content and of mode or owner."""
    prune = " -o ".join(f"-path {path} -prune" for path in NOT_OURS)
    places = " ".join((*WHERE, *MOUNTED))
    command = f"find {places} -xdev {prune} -o ! -type d -printf '%p\\t%i %s %T@ %C@\\n'"
    done = host.exec(["sh", "-c", command])  # not 0: a running database takes files away under its eyes
    assert all("No such file" in line for line in done.stderr.splitlines()), done.stderr
    return dict(line.split("\t") for line in done.stdout.splitlines())


def is_at(path: str, place: Place) -> bool:
    pattern = place.path.replace("<run>", "*")
    return any(
        fnmatch.fnmatchcase(str(part), pattern)
        for part in (PurePosixPath(path), *PurePosixPath(path).parents)
    )


def test_a_provision_touches_what_the_page_lists_and_a_removal_takes_it_away(
    inventory: Inventory, lab: Lab
) -> None:
    cluster = load(inventory.path)
    lab.reset()
    written = inventory.run("secrets rekey")  # a file of an older version says nothing of where it comes from
    assert written.code == 0 or "there is no secrets file" in written.said, written.said
    before = {host.name: files(host) for host in lab.hosts}
    inventory.provision()
    listed = places()
    for host in lab.hosts:
        touched = {path for path, mark in files(host).items() if before[host.name].get(path) != mark}
        stray = sorted(path for path in touched if not any(is_at(path, place) for place in listed))
        assert stray == [], host.name
        assert before[host.name].keys() <= files(host).keys(), "nothing of others is taken away"
        lasting = [
            p for p in listed if p.lasts and (host.name == store(cluster).writer.name or not p.database_only)
        ]
        missing = [p.path for p in lasting if not any(is_at(path, p) for path in touched)]
        assert missing == ["/var/lib/tempo-infra/taken-over"], host.name
        left = [p.path for p in listed if not p.lasts and any(is_at(path, p) for path in touched)]
        assert left == [], "what guards a change is gone once it is confirmed"
    ran = inventory.run("remove", "--confirm-remove", cluster.name)
    assert ran.code == 0, ran.said
    for host in lab.hosts:
        after = files(host)
        kept = {path for path in after if not path.startswith(CONTENT_OF_DATA)}
        assert kept == before[host.name].keys(), host.name
    inventory.provision()
