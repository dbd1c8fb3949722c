"""A push of owned files beside pyinfra, Ansible and bare ssh: docs/benchmarks/provisioning.md.

    python -m bench.provisioning [HOST]

Whole processes against sshds in one lab host (lab/many.py), the relay between them counting and delaying.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench import files_only, others
from lab import hosts, many
from lab.relay import Relay
from tempo_infra.inventory import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.hosts import Host

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "provisioning.md"
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
VALUES = (4096, 8192)  # of one kernel setting: a push changes one file of all
OURS, SSH, TRUE = "tempo-infra", "`ssh host tar`, then `ssh host true`", "`ssh host true`"
SYSTEMS, PYINFRA, ANSIBLE = f"{OURS}, the system's ssh", "pyinfra", "Ansible"


@dataclass
class Row:
    what: str
    hosts: int
    delay_ms: int
    seconds: list[float] = field(default_factory=list)
    trips: list[int] = field(default_factory=list)  # of the host with the most

    def without_the_first(self) -> Row:
        return Row(self.what, self.hosts, self.delay_ms, self.seconds[1:], self.trips[1:])

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


class Scene:
    """Some hosts behind relays, that one contender has for itself."""

    def __init__(self, host: Host, addresses: list[str], relays: list[Relay], work: Path) -> None:
        self.relays, self.work, self._addresses = relays, work, addresses
        known = work / "known_hosts"
        known.write_text("".join(host.pinned(one.address, one.port) + "\n" for one in relays))
        places = [(one.address, one.port) for one in relays]
        self.place = others.Place(places, host.root / "id_ed25519", known)

    def ours(self, transport: str) -> list[list[str]]:
        return [
            [sys.executable, "-m", "bench.files_only", str(self._inventory(value, transport))]
            for value in VALUES
        ]

    def files(self) -> list[Path]:
        """The files that a push brings to the first host, in a folder for each of the two contents."""
        return [self._content(value) for value in VALUES]

    def run(self, row: Row, words: list[str]) -> None:
        for relay in self.relays:
            relay.delay_ms = row.delay_ms / 2
            relay.traffic.reset()
        begun = time.monotonic()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        row.seconds.append(time.monotonic() - begun)
        if done.returncode:
            sys.exit(f"{row.what}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        row.trips.append(max(relay.round_trips for relay in self.relays))
        print(f"{row.what}, {row.hosts}, {row.delay_ms} ms: {row.seconds[-1]:.2f} s", file=sys.stderr)

    def _inventory(self, value: int, transport: str) -> Path:
        path = self.work / f"{transport}-{value}.yaml"
        place = self.place
        text = files_only.inventory(
            place.hosts,
            self._addresses,
            key=place.key,
            known_hosts=place.known_hosts,
            transport=transport,
            somaxconn=value,
        )
        path.write_text(text)
        return path

    def _content(self, value: int) -> Path:
        bundle = files_only.bundles(load(self._inventory(value, "paramiko")))[1]
        folder = self.work / f"files-{value}"
        for file in bundle.files:
            if file.path.startswith("etc/"):
                (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
                (folder / file.path).write_bytes(file.content)
        return folder


def words_of(name: str, scene: Scene) -> list[list[str]]:
    """The command of a contender for each of the two contents."""
    if name in (OURS, SYSTEMS):
        return scene.ours("paramiko" if name == OURS else "openssh")
    if name == TRUE:
        return [[*scene.place.ssh(), "true"]] * 2
    if name == SSH:
        return [others.tar(scene.place, files) for files in scene.files()]
    make = {PYINFRA: others.pyinfra, ANSIBLE: others.ansible}[name]
    return [make(scene.place, files, scene.work) for files in scene.files()]


SETS = (  # contenders, hosts, added delay; the page is written after each
    ((OURS, SYSTEMS, SSH, TRUE, PYINFRA, ANSIBLE), 1, 20),
    ((OURS, SYSTEMS, SSH, TRUE, PYINFRA, ANSIBLE), 1, 0),
    ((OURS, SYSTEMS), 10, 20),
)


def rounds(host: Host, names: tuple[str, ...], count: int, delay_ms: int) -> list[Row]:
    """Everybody in turn, so that what disturbs the machine disturbs all; the first round does not count."""
    with ExitStack() as stack:
        addresses = stack.enter_context(many.many(host, count * len(names), max_startups="100"))
        scenes = {}
        for number, name in enumerate(names):
            own = addresses[number * count : (number + 1) * count]
            relays = [stack.enter_context(Relay(address, many.PORT)) for address in own]
            work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            scenes[name] = Scene(host, own, relays, work)
        words = {name: words_of(name, scene) for name, scene in scenes.items()}
        pushes = {name: Row(name, count, delay_ms) for name in names}
        noops = {name: Row(f"{name}, nothing to do", count, delay_ms) for name in (OURS, SYSTEMS)}
        for number in range(RUNS + 1):
            for name, scene in scenes.items():
                scene.run(pushes[name], words[name][number % 2])
                if name in noops:
                    scene.run(noops[name], words[name][number % 2])
    return [row.without_the_first() for row in (*pushes.values(), *noops.values())]


def page(rows: list[Row]) -> str:
    table = [
        f"| {row.what} | {row.hosts} | {row.delay_ms} ms | {row.median:.2f} s |"
        f" {min(row.seconds):.2f}-{max(row.seconds):.2f} s | {max(row.trips)} |"
        for row in rows
    ]
    return TEXT.format(
        cores=os.cpu_count(),
        runs=RUNS,
        versions=others.versions(),
        table="\n".join(table),
        ratios="\n".join(ratios(rows)),
        ours=OURS,
        systems=SYSTEMS,
    )


def ratios(rows: list[Row]) -> list[str]:
    """Lines of a table: what the times mean, each ratio within this run."""

    def median(what: str, count: int, delay_ms: int) -> float:
        key = (what, count, delay_ms)
        return next((one.median for one in rows if (one.what, one.hosts, one.delay_ms) == key), math.nan)

    def trips(what: str) -> int:
        return max(max(row.trips) for row in rows if row.what == what and row.hosts == 1)

    figures: list[tuple[str, str, Callable[[str], float]]] = [
        ("pyinfra's time in ours, 20 ms", ">= 5", lambda ours: median(PYINFRA, 1, 20) / median(ours, 1, 20)),
        ("Ansible's time in ours, 20 ms", ">= 15", lambda ours: median(ANSIBLE, 1, 20) / median(ours, 1, 20)),
        ("ours in bare ssh, 20 ms", "<= 1.5", lambda ours: median(ours, 1, 20) / median(SSH, 1, 20)),
        ("ours in bare ssh, 0 ms", "<= 2.5", lambda ours: median(ours, 1, 0) / median(SSH, 1, 0)),
        ("ten hosts in one, 20 ms", "<= 2", lambda ours: median(ours, 10, 20) / median(ours, 1, 20)),
        (f"round trips beyond {TRUE}, a push", "<= 4", lambda ours: trips(ours) - trips(TRUE)),
        (
            f"round trips beyond {TRUE}, nothing to do",
            "",
            lambda ours: trips(f"{ours}, nothing to do") - trips(TRUE),
        ),
    ]
    return [
        f"| {name} | {asked} | {figure(OURS):.2f} | {figure(SYSTEMS):.2f} |"
        for name, asked, figure in figures
    ]


TEXT = """# A push of system files, beside others

Written by `make bench` (`python -m bench.provisioning`), on {cores} cores that both ends share. Whole
processes, from the shell's point of view; {runs} runs each after one that does not count, everybody in turn,
the median first. The same rendered files for /etc; each push changes one of them. {versions}, at their
fastest: pipelining, a given interpreter, no facts gathered. What ours does beyond copying: it reads the host
and plans, stages a verified generation, fsyncs, arms the host to put itself back, applies kernel settings,
asks for health and confirms.

A round trip is a change of direction, client to server and back, counted by a relay that also adds the delay
to each of them; ssh's handshake is included, and the number is that of the host with the most. The hosts are
sshds in one lab host, each with files of its own.

| what | hosts | added delay | median | least-most | round trips |
|---|---|---|---|---|---|
{table}

Ratios of medians in the same run, beside what was asked for; bare ssh is `ssh host tar` followed by
`ssh host true`.

| | asked for | {ours} | {systems} |
|---|---|---|---|
{ratios}

Where a time is more than was asked for: a run starts Python twice, here with the inventory's, the
templates' and ssh's libraries, and on the host, where nothing is resident; the program is kept there,
with its bytecode, and started for each connection. A push also waits for fsyncs, and for systemd to take the
timer and the units that put the host back. Ten hosts on the same two cores start ten of those programs.
"""


def main() -> None:
    lab = hosts.load()
    others.install()
    host = lab.host(sys.argv[1]) if len(sys.argv) > 1 else lab.hosts[0]
    rows: list[Row] = []
    for contenders, count, delay_ms in SETS:
        rows += rounds(host, contenders, count, delay_ms)
        PAGE.write_text(page(rows))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
