"""Wall time and round trips, side by side on one machine: docs/benchmarks/round-trips.md.

A round trip is a change of direction, client to server and back, as a relay between the two sees it; ssh's
handshake is included. Times are whole processes, from the shell's point of view.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab import hosts
from lab.relay import Relay

if TYPE_CHECKING:
    from lab.hosts import Lab

COMMAND = Path(sys.executable).with_name("tempo-infra")
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "round-trips.md"
RUNS = 5
MEMORY = re.compile(r"(internal: 10\.99\.0\.12\n(?:.*\n)*?.*memory: )4GiB")  # history-1; its service restarts


@dataclass(frozen=True)
class Row:
    what: str
    hosts: int
    delay_ms: int  # of a round trip
    seconds: list[float]
    round_trips: int | None = None  # the most of any host

    def line(self) -> str:
        trips = "" if self.round_trips is None else str(self.round_trips)
        low, high = min(self.seconds), max(self.seconds)
        median = statistics.median(self.seconds)
        figures = f"{median:.2f} s | {low:.2f}-{high:.2f} s"
        return f"| {self.what} | {self.hosts} | {self.delay_ms} ms | {figures} | {trips} |"


def main() -> None:
    """Measure everything and write the page."""
    rows = [*render_rows()]
    lab = hosts.load()
    work = lab.key.parent
    subprocess.run([COMMAND, "provision", "-q", "-i", work / "inventory.yaml"], check=True)
    for delay_ms in (0, 20):
        for names in (["history-1"], ["front-1", "history-1", "db-1"]):
            rows += provision_rows(lab, names, delay_ms)
    PAGE.write_text(page(rows))
    print(PAGE.read_text())


def timed(words: list[str | Path]) -> float:
    begun = time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


def render_rows() -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, 100):
            path = Path(folder) / f"{count}.yaml"
            path.write_text(inventory_of(count))
            out = Path(folder) / "out"
            seconds = []
            for _ in range(RUNS):
                shutil.rmtree(out, ignore_errors=True)
                seconds.append(timed([COMMAND, "render", "-i", path, "-o", out]))
            rows.append(Row("render", count, 0, seconds))
    return rows


def inventory_of(count: int) -> str:
    """An inventory of so many hosts: one database, the rest Temporal; all in one for a single host."""
    head = (Path(__file__).parents[1] / "inventory" / "oslo-trio.yaml").read_text().partition("\nhosts:")[0]
    each = ("history", "matching", "worker", "frontend")
    lines = []
    for number in range(count):
        roles = each[number % len(each)] if number else "postgresql"
        roles = f"[{roles}]" if count > 1 else f"[postgresql, {', '.join(each)}]"
        memory = "16GiB" if number else "128GiB"
        lines.append(
            f"  host-{number}:\n    address: host-{number}.example\n    internal: 10.0.1.{number + 1}\n"
            f"    class: NVMe-Series\n    roles: {roles}\n"
            f"    resources: {{vcpu: 16, memory: {memory}, disk: {{kind: nvme, size: 80GiB}}}}\n"
        )
    return f"{head}\nhosts:\n" + "".join(lines)


def provision_rows(lab: Lab, names: list[str], delay_ms: int) -> list[Row]:
    """No-op and changed push, each host behind a relay of its own."""
    work = lab.key.parent
    with ExitStack() as stack:
        relays = {
            name: stack.enter_context(
                Relay(lab.host(name).ssh_address, lab.host(name).ssh_port, delay_ms=delay_ms / 2)
            )
            for name in names
        }
        known = work / "known_hosts-bench"
        pins = "".join(
            lab.host(name).pinned(relay.address, relay.port) + "\n" for name, relay in relays.items()
        )
        known.write_text(lab.known_hosts.read_text() + pins)
        text = (
            (work / "inventory.yaml")
            .read_text()
            .replace("known_hosts: known_hosts", f"known_hosts: {known.name}")
        )
        for name, relay in relays.items():
            text = text.replace(
                f"    address: {lab.host(name).ssh_address}\n",
                f"    address: {relay.address}\n    ssh: {{port: {relay.port}}}\n",
            )
        same, changed = work / "inventory-bench.yaml", work / "inventory-bench-changed.yaml"
        same.write_text(text)
        changed.write_text(MEMORY.sub(r"\g<1>3GiB", text))
        only = [word for name in names for word in ("--host", name)]
        pushes: list[list[str | Path]] = [
            [COMMAND, "provision", "-i", path, *only] for path in (changed, same, changed, same)
        ]
        noop = measure(relays, [pushes[1]] * RUNS)
        push = measure(relays, pushes)
        for path in (known, same, changed):
            path.unlink()
    return [
        Row("provision, nothing to do", len(names), delay_ms, *noop),
        Row("provision, history's memory changed", len(names), delay_ms, *push),
    ]


def measure(relays: dict[str, Relay], commands: list[list[str | Path]]) -> tuple[list[float], int]:
    seconds, trips = [], 0
    for words in commands:
        for relay in relays.values():
            relay.traffic.reset()
        seconds.append(timed(words))
        trips = max(trips, *(relay.round_trips for relay in relays.values()))
    return seconds, trips


def page(rows: list[Row]) -> str:
    table = "\n".join(row.line() for row in rows)
    return f"""# Wall time and round trips

Written by `make bench`, on {os.cpu_count()} cores, against the lab's hosts, which share them. Times are
whole processes: {RUNS} runs each (4 for a changed push), the median first. A round trip is a change of
direction, client to server and back, counted by a relay between the two; ssh's handshake is included, and the
number is that of the host with the most. The delay is added to every round trip.

| what | hosts | added delay | median | least-most | round trips a host |
|---|---|---|---|---|---|
{table}

A changed push restarts Temporal's history service, which drains before it stops and waits for its shards
after it starts: that is nearly all of its time.

The bars: a no-op costs at most 9 round trips a host, a changed push at most 12
(`tests/lab/test_round_trips.py`), 100 hosts are rendered in under 2 s.
"""


if __name__ == "__main__":
    main()
