"""Hosts that reach no registry and have no route get their images from the operator's machine.

Three hosts of their own, named by TEMPO_LAB_BY_SSH (extra-3,extra-4,extra-5 if it is not set): database,
history, the rest. `python3 -m lab up --hosts 8` starts them. They are reached through relays, which count
what goes over the wire and cut it. About twenty minutes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from lab import faults, registry
from lab.hosts import Host, Lab
from lab.paths import Home
from lab.process import run
from lab.relay import Cut, Relay
from lab.spec import LABEL, REGISTRY_LOOPBACK, REGISTRY_PORT
from tempo_infra.archives import Saved
from tempo_infra.inventory import load
from tests.lab.conftest import COMMAND, Ran, claim, containers, running_lab

pytestmark = pytest.mark.faults

NAMES = os.environ.get("TEMPO_LAB_BY_SSH", "extra-3,extra-4,extra-5").split(",")
DATABASE, HISTORY, FRONT = NAMES
ROLES = {DATABASE: "postgresql", HISTORY: "history", FRONT: "frontend, matching, worker, ui"}
IMAGES = {
    DATABASE: ("postgres", "temporalio/admin-tools"),
    HISTORY: ("temporalio/server",),
    FRONT: ("temporalio/server", "temporalio/admin-tools", "temporalio/ui"),
}
ENTRY = """
  {name}:
    address: {relay.address}
    ssh: {{port: {relay.port}}}
    internal: {host.internal_address}
    class: C-Series
    roles: [{roles}]
    resources: {{vcpu: 2, memory: 4GiB, disk: {{kind: unknown, size: 20GiB}}}}
"""
SLOW_S = 2400  # to compress four images takes some 20 s of a processor, which others may have
MOST = 1.1  # of what a registry sends, with all else that a run says
LITTLE = 0.02  # of it, for a run that sends no image
UI = "temporalio/ui"


@dataclass
class Site:
    """The cluster's folder, and the ways to its hosts."""

    lab: Lab
    folder: Path
    relays: Mapping[str, Relay]
    compressed: Mapping[str, int]  # host -> bytes that a registry would send

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.yaml"

    def write(self) -> None:
        """Write the inventory, and pin what is in the archives."""
        head = (self.lab.root / "inventory.yaml").read_text().partition("\nhosts:")[0]
        head, times = re.subn(r"(?m)^images:\n(  .*\n)*", "", head)
        assert times == 1
        text = head.replace("cluster: lab", "cluster: by-ssh")
        text += "\nimages:\n  source: ssh\n  archives: [images.tar]\n"
        text += "\nrollout: {decide_after: 20s, soak: 1s}\n\nhosts:\n"
        for name, relay in self.relays.items():
            text += ENTRY.format(name=name, relay=relay, host=self.host(name), roles=ROLES[name])
        self.inventory.write_text(text)
        self.must("images pin")

    def must(self, command: str, *words: str) -> str:
        ran = self.run(command, *words)
        assert ran.code == 0, ran.said
        return ran.out

    def run(self, command: str, *words: str) -> Ran:
        done = subprocess.run(
            [COMMAND, *command.split(), "-i", self.inventory, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SLOW_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def host(self, name: str) -> Host:
        return self.lab.host(name)

    def sent(self) -> dict[str, float]:
        """What went to each host since the last call, in parts of what a registry would have sent."""
        found = {name: relay.traffic.up / self.compressed[name] for name, relay in self.relays.items()}
        for relay in self.relays.values():
            relay.traffic.reset()
        return found

    def images(self, name: str) -> dict[str, str]:
        """What images a host has by name, with their ids."""
        form = "{{.Repository}}:{{.Tag}} {{.ID}}"
        told = self.host(name).must(["docker", "images", "--no-trunc", "--format", form])
        return dict(line.split() for line in told.splitlines())

    def started(self, name: str) -> dict[str, str]:
        return {
            service: f"{one['Id']} {one['State']['StartedAt']}"
            for service, one in containers(self.lab, name).items()
        }

    def nothing_to_do(self) -> None:
        self.must("plan --no-diff --detailed-exitcode")


def words(text: str) -> str:
    """The text in one line, as it was before it was wrapped."""
    return " ".join(text.split())


@contextmanager
def no_way_out(host: Host) -> Iterator[None]:
    """No route but to the hosts beside it, and none of those is a registry."""
    route = host.must(["ip", "route", "show", "default"]).split()
    host.must(["ip", "route", "del", "default"])
    try:
        with faults.registry_away(host):
            yield
    finally:
        host.must(["ip", "route", "replace", *route])


def layers(home: Home, name: str, tag: str) -> dict[str, int]:
    """The layers of an image in the lab's registry, compressed: digest -> bytes."""
    trusted = ssl.create_default_context(cafile=str(home.ca))
    with closing(HTTPSConnection(REGISTRY_LOOPBACK, REGISTRY_PORT, context=trusted, timeout=20)) as asked:
        asked.request("GET", f"/v2/{name}/manifests/{tag}", headers={"Accept": registry.MANIFEST})
        found: dict[str, Any] = json.loads(asked.getresponse().read())
    return {one["digest"]: one["size"] for one in found["layers"]}


def save(path: Path, *names: str) -> None:
    run(["docker", "save", "-o", str(path), *names], timeout=SLOW_S)
    path.chmod(0o600)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three hosts with nothing on them and no way out, and an archive of what they need."""
    lab, home = running_lab("python3 -m lab up --hosts 8"), Home.locate()
    claim(lab.root, NAMES)
    lab.reset(NAMES, images=True)
    folder = tmp_path_factory.mktemp("by-ssh")
    cluster = load(lab.root / "inventory.yaml")
    tags = dict(name.split(":") for name in cluster.image_names)
    names = [f"{registry.PUSH}/{name}:{tag}" for name, tag in tags.items()]
    for name in names:
        run(["docker", "pull", "-q", name], timeout=300)
    save(folder / "images.tar", *names)
    run(["docker", "rmi", *names], check=False)
    sizes = {name: layers(home, name, tag) for name, tag in tags.items()}
    compressed = {}
    for at, some in IMAGES.items():
        once: dict[str, int] = {}
        for name in some:
            once |= sizes[name]
        compressed[at] = sum(once.values())
    with ExitStack() as stack:
        relays = {}
        for name in NAMES:
            host = lab.host(name)
            cut = Cut(after=compressed[name] // 2) if name == DATABASE else None
            relays[name] = stack.enter_context(Relay(host.ssh_address, host.ssh_port, cut=cut))
            stack.enter_context(no_way_out(host))
        shutil.copy(lab.root / "id_ed25519", folder)
        pins = (lab.host(name).pinned(relay.address, relay.port) for name, relay in relays.items())
        (folder / "known_hosts").write_text("".join(pins))
        made = Site(lab, folder, relays, compressed)
        made.write()
        yield made


def test_a_cut_link_leaves_nothing_half_and_the_next_run_goes_on(site: Site) -> None:
    plan = words(site.must("plan --no-diff"))
    assert "is sent postgres:17-" in plan
    ran = site.run("provision")
    assert ran.code == 3, ran.said
    assert site.images(DATABASE) == {}
    assert site.host(DATABASE).exec(["test", "-e", "/var/lib/tempo-infra/current"]).returncode == 1
    site.must("provision")
    sent = site.sent()
    assert {name: part for name, part in sent.items() if part > MOST} == {}
    assert all(part > 0.9 for part in sent.values())
    for name in NAMES:
        assert site.host(name).exec(["test", "-e", "/var/lib/tempo-infra/arriving"]).returncode == 1


def test_they_run_what_was_planned_and_nothing_is_sent_twice(site: Site) -> None:
    digests = load(site.inventory).images.digests
    for name in NAMES:
        wanted = {one: digest for one, digest in digests.items() if one.rpartition(":")[0] in IMAGES[name]}
        assert site.images(name) == {f"{one}-{digest[7:19]}": digest for one, digest in wanted.items()}
    site.sent()
    before = {name: site.started(name) for name in NAMES}
    site.nothing_to_do()
    site.must("provision")
    assert {name: part for name, part in site.sent().items() if part > LITTLE} == {}
    assert {name: site.started(name) for name in NAMES} == before
    site.must("smoke")


def test_going_back_sends_again_what_was_pruned(site: Site) -> None:
    """The UI becomes another one; the one before is pruned, and comes back out of its archive."""
    [before] = [one for one in site.images(FRONT) if one.startswith(UI)]
    name = f"{LABEL}/test-by-ssh/{before.partition('-')[0]}"
    source = f"{registry.PUSH}/{before.partition('-')[0]}"
    run(["docker", "pull", "-q", source], timeout=300)
    made = run(["docker", "create", source]).stdout.strip()
    run(["docker", "commit", "-c", "LABEL another=1", made, name])
    run(["docker", "rm", made])
    save(site.folder / "another.tar", name)
    run(["docker", "rmi", name, source], check=False)
    with Saved(site.folder / "another.tar") as saved:
        [content] = [one.content for one in saved.images]
    text = site.inventory.read_text()
    was = site.images(FRONT)[before]
    assert text.count(was) == text.count("archives: [images.tar]") == 1
    text = text.replace(was, content).replace("[images.tar]", "[images.tar, another.tar]")
    site.inventory.write_text(text)
    running = site.started(FRONT)
    site.must("provision")
    after = site.started(FRONT)
    assert {one for one in running if running[one] != after[one]} == {"ui"}
    site.host(FRONT).must(["docker", "image", "prune", "-a", "-f"])
    assert before not in site.images(FRONT)

    site.sent()
    assert before in words(site.must("rollback --dry-run")).partition("is sent ")[2]
    site.must("rollback")
    assert before in site.images(FRONT)
    assert containers(site.lab, FRONT)["ui"]["Config"]["Image"] == before
    assert LITTLE < site.sent()[FRONT] < 1  # what was pruned, not what runs


def test_without_an_archive_that_has_it_nobody_goes_back(site: Site) -> None:
    """Taken back once more the run goes forward again, to the other UI, whose archive is not named."""
    running = site.started(FRONT)
    site.host(FRONT).must(["docker", "image", "prune", "-a", "-f"])
    text = site.inventory.read_text()
    site.inventory.write_text(text.replace(", another.tar", ""))
    ran = site.run("rollback", "--yes")
    site.inventory.write_text(text)
    assert ran.code == 1, ran.said
    assert "in none of the inventory's images.archives" in words(ran.said)
    assert "nothing was changed on any host" in words(ran.said)
    assert site.started(FRONT) == running


def test_another_content_under_the_name_is_refused(site: Site) -> None:
    running = site.started(HISTORY)
    [name] = site.images(HISTORY)
    host = site.host(HISTORY)
    [image] = [one["Image"] for one in containers(site.lab, HISTORY).values()]
    made = host.must(["docker", "create", name]).strip()
    host.must(["docker", "commit", "-c", "LABEL another=1", made, name])
    host.must(["docker", "rm", made])
    ran = site.run("provision")
    assert ran.code == 1
    assert f"{name} is another content on this host than the inventory's" in words(ran.said)
    assert site.started(HISTORY) == running
    host.must(["docker", "rmi", name])
    host.must(["docker", "tag", image, name])
    assert site.run("provision").code == 0
