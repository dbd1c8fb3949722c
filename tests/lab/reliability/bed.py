"""What a case lies on: one lab host, what the inventory says of it, and what must outlive every case.

The light bed is a host with nothing but the web UI: owned system files and one small container, so that a run
takes seconds. The full bed is a host that carries a whole cluster.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lab.relay import Relay
from tests.lab import invariants
from tests.lab.conftest import COMMAND, PROJECT, Ran
from tests.lab.reliability.machine import Machine, look

Kind = Literal["light", "full", "vm"]
DECIDE_AFTER = "10s"
DECIDED_S, RUN_S = 240.0, 900
# The rest of the cluster of the VM's light bed: named, and never contacted.
ELSEWHERE = """  elsewhere:
    address: 10.0.2.99
    internal: 10.0.2.99
    class: NVMe-Series
    roles: [postgresql, history, matching, worker, frontend]
    resources: {vcpu: 2, memory: 4GiB, disk: {kind: unknown, size: 20GiB}}
"""
ROLES = {"light": "ui", "vm": "ui", "full": "postgresql, history, matching, worker, frontend, ui"}
SERVICE = {"light": "ui", "vm": "ui", "full": "history"}  # recreated by a change

# Runs on the host: waits until no run is at work and nothing is left to decide. Who decides may be the host
# itself, and has the lock until all of the guard is taken away: the record goes before the rest. After a boot
# it may not have begun yet: its unit waits for Docker.
DECIDED = r"""
import fcntl, json, pathlib, subprocess, sys, time
state = pathlib.Path("/var/lib/tempo-infra")
def locked():
    try:
        with open(state / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
def working():
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if (state, parent) == ("D", "1"):  # left behind: a disk that hangs has it, and it has nothing of ours
            continue
        if len(words) > 3 and words[0].endswith(b"python3") and b"import hashlib, os" in words[3]:
            return True
    return False
def undecided():
    try:
        return json.loads((state / "armed.json").read_text())["phase"] in ("armed", "healthy", "restored")
    except FileNotFoundError:
        return False
def queued():
    words = ["systemctl", "list-jobs", "--no-legend", "tempo-infra*"]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip()
end = time.monotonic() + float(sys.argv[1])
while working() or undecided() or locked() or queued():
    if time.monotonic() > end:
        sys.exit("not decided: " + (state / "armed.json").read_text() if undecided() else "a run is at work")
    time.sleep(0.1)
"""


@dataclass(frozen=True)
class Change:
    """What a run would change: a kernel setting, and the memory of one container, which is recreated."""

    swappiness: int
    memory_mb: int
    more: tuple[tuple[str, str], ...] = ()  # regular expressions on the inventory
    templates: tuple[tuple[str, str], ...] = ()  # own templates: path, content

    @classmethod
    def new(cls, **more: tuple[tuple[str, str], ...]) -> Change:
        """A change that was never made before, so everything of it is to be written."""
        return cls(random.randint(1, 99), random.randint(300, 900), **more)  # noqa: S311  # no secret


@dataclass
class Bed:
    root: Path  # of the lab: inventory, keys, pinned host keys
    host: Machine
    kind: Kind
    soak: str = "0s"
    now: Change = field(default_factory=Change.new)
    rows: int | None = None
    files: int = 0
    last: invariants.Look | None = None  # what was seen at the end of a case that went well

    @property
    def folder(self) -> Path:
        """Inventories of this bed, each in a folder of its own."""
        return self.root / f"reliability-{self.host.name}"

    def inventory(
        self, change: Change, relay: Relay | None = None, soak: str = "", decide_after: str = ""
    ) -> Path:
        """Write the inventory that asks for a change."""
        self.files += 1
        folder = self.folder / str(self.files)
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier session, with templates of its own
        folder.mkdir(parents=True)
        for name, content in change.templates:
            (folder / "templates" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "templates" / name).write_text(content)
        known = folder / "known_hosts"
        known.write_text((self.root / "known_hosts").read_text() + (self._pinned(relay) if relay else ""))
        rollout = f"{{decide_after: {decide_after or DECIDE_AFTER}, soak: {soak or self.soak}}}"
        text = self._text(change, relay, rollout)
        for pattern, replacement in change.more:
            text, times = re.subn(pattern, replacement, text)
            assert times, f"{pattern!r} is not in the inventory"
        path = folder / "inventory.yaml"
        path.write_text(text)
        return path

    def _pinned(self, relay: Relay) -> str:
        return self.host.pinned(relay.address, relay.port) + "\n"

    def _text(self, change: Change, relay: Relay | None, rollout: str) -> str:
        lab = (self.root / "inventory.yaml").read_text()
        head, _, hosts = lab.partition("hosts:\n")
        head = re.sub(r"(?m)^rollout:.*\n(?:  .*\n)*\n?", "", head)
        head = head.replace("[id_ed25519]", f"[{self.root / 'id_ed25519'}]")
        head += f"rollout: {rollout}\n"
        head += f"secrets: {{file: {self.root / 'secrets.age'}}}\n"
        head += "accept: [files-elsewhere, own-compose, commands-and-exports]\n\n"
        address, port = (relay.address, relay.port) if relay else (self.host.ssh_address, self.host.ssh_port)
        own = (
            f"  {self.host.name}:\n    address: {address}\n    ssh: {{port: {port}}}\n"
            f"    internal: {self.host.internal_address}\n    class: NVMe-Series\n"
            f"    roles: [{ROLES[self.kind]}]\n"
            "    resources: {vcpu: 2, memory: 4GiB, disk: {kind: unknown, size: 20GiB}}\n"
            f"    overrides: {{sysctl: {{vm.swappiness: {change.swappiness}}},"
            f" memory: {{{SERVICE[self.kind]}: {change.memory_mb}MiB}}}}\n"
        )
        others = {"light": hosts, "vm": ELSEWHERE, "full": ""}[self.kind]
        return f"{head}hosts:\n{others}\n{own}"

    def command(self, word: str, inventory: Path, *words: str) -> list[str]:
        return [str(COMMAND), *word.split(), "-i", str(inventory), "--host", self.host.name, *words]

    def run(self, word: str, inventory: Path, *words: str) -> Ran:
        done = subprocess.run(
            self.command(word, inventory, *words),
            capture_output=True, text=True, timeout=RUN_S, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, inventory: Path, *words: str, word: str = "provision") -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(word, inventory, *words),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def provision(self, change: Change, *words: str) -> Ran:
        """Provision normally and insist on success."""
        ran = self.run("provision", self.inventory(change), *words)
        assert ran.code == 0, ran.said
        self.now = change
        return ran

    def look(self) -> invariants.Look:
        return look(self.host, self.rows)

    def decided(self) -> None:
        """Wait until the host has decided by itself."""
        words = ["python3", "-c", DECIDED, str(DECIDED_S)]
        done = self.host.exec(words, timeout=DECIDED_S + 20)
        assert done.returncode == 0, done.stderr

    def psql(self, statement: str) -> str:
        label = "label=com.docker.compose.service=postgresql"
        id_ = self.host.must(["docker", "ps", "-q", "-f", PROJECT, "-f", label]).strip()
        words = ["docker", "exec", id_, "psql", "-XqAtU", "postgres", "-c", statement]
        return self.host.must(words).strip()

    def make_foreign(self) -> None:
        """A container of someone else, which no run may touch."""
        if self.host.exec(["docker", "inspect", "foreign"]).returncode == 0:
            self.host.must(["docker", "start", "foreign"])
            return
        image = self.host.must(["docker", "images", "-q", "--filter", "reference=*/*/ui"]).split()[0]
        words = ["docker", "run", "-d", "--name", "foreign", "--restart", "unless-stopped"]
        self.host.must([*words, "--entrypoint", "sleep", image, "infinity"])

    def make_rows(self) -> None:
        self.psql("create table if not exists marker (); insert into marker default values")
        self.rows = int(self.psql("select count(*) from marker"))


def foreign(seen: invariants.Look, *, rebooted: bool) -> str:
    """Other people's containers: which they are, and since when they run."""
    return json.dumps(
        [[name, one[0], "" if rebooted else one[1], one[2]] for name, one in seen["foreign"].items()]
    )


def wait_for_containers(bed: Bed) -> None:
    """After a boot Docker takes a while to start them again, ours and those of others."""
    end = time.monotonic() + (60 if bed.kind == "light" else 240)
    words = ["docker", "ps", "-aq", "--filter", "status=exited", "--filter", "status=created"]
    while (done := bed.host.exec(words)).returncode != 0 or done.stdout.strip():
        assert time.monotonic() < end, f"not back: {done.stdout}{done.stderr}"
        time.sleep(0.5)
