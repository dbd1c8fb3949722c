"""One run: load on a stack, and what it cost, by two looks at the same counters."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import psutil

from bench.sizing import counters
from bench.sizing.postgres import version
from bench.sizing.server import FRONTEND
from bench.sizing.stack import running
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.sizing.cells import Cell
    from bench.sizing.postgres import Database, Place
    from bench.sizing.server import Stack
    from bench.sizing.stack import Programs, Running

LOOK_S = 0.5
Figures = dict[str, float]


@dataclass(frozen=True)
class Look:
    """The counters at one moment: seconds of CPU by program, PostgreSQL's own by name."""

    cpu_s: Mapping[str, float]
    busy_s: float  # of the whole machine
    steal_s: float
    database: Mapping[str, float]


@dataclass
class Seen:
    """What is looked at again and again meanwhile."""

    connections: int = 0

    def until(self, database: Database, over: threading.Event) -> None:
        while not over.wait(LOOK_S):
            self.connections = max(self.connections, int(database.ask(counters.CONNECTIONS)))


def measure(place: Place, programs: Programs, stack: Stack, cell: Cell) -> dict[str, object]:
    """Run one cell; LabError when it can't be brought up or the load ends early."""
    with running(place, programs, stack, cell.delay_ms) as up:
        words = [str(programs.loadgen), "drive", f"--address={FRONTEND}", f"--clients={cell.clients}"]
        words += [f"--warmup={cell.warmup_s}s", f"--measured={cell.measured_s}s"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as driver:
            begun, seen, report, ended = _watch(up, driver)
        return {
            **report,
            "connections": seen.connections,
            "rss_mib": resident_mib(process.pid for process in up.servers),
            **differences(begun, ended, report),
        }


def _watch(up: Running, driver: subprocess.Popen[str]) -> tuple[Look, Seen, dict[str, float], Look]:
    if driver.stdout is None:
        raise LabError("the driver was started without a pipe")
    if _line(driver.stdout) != "begin":
        raise LabError("the driver ended before it began to measure")
    begun = look(up, driver.pid)
    seen, over = Seen(), threading.Event()
    counting = threading.Thread(target=seen.until, args=(up.database, over))
    counting.start()
    try:
        report = json.loads(_line(driver.stdout))
    finally:
        over.set()
        counting.join()
    return begun, seen, report, look(up, driver.pid)


def _line(pipe: IO[str]) -> str:
    return pipe.readline().strip()


def look(up: Running, driver: int) -> Look:
    groups = {
        "server": [process.pid for process in up.servers],
        "worker": [up.worker.pid],
        "driver": [driver],
    }
    cpu = {name: sum(_cpu_s(pid) for pid in pids) for name, pids in groups.items()}
    cpu["postgresql"] = _family_s(up.database.process.pid)
    cpu["bench"] = _cpu_s(psutil.Process().pid)
    machine = psutil.cpu_times()
    idle = machine.idle + machine.iowait + machine.steal + machine.guest + machine.guest_nice
    counted = json.loads(up.database.ask(counters.query(int(version()))))
    return Look(
        cpu, sum(machine) - idle, machine.steal, {name: float(count) for name, count in counted.items()}
    )


def _cpu_s(pid: int) -> float:
    """Seconds of CPU of a process; what it took between the last look and its end is lost."""
    with suppress(psutil.NoSuchProcess):
        times = psutil.Process(pid).cpu_times()
        return times.user + times.system
    return 0.0


def _family_s(pid: int) -> float:
    """Of a process, its children, and those children that have ended."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    gone = times.children_user + times.children_system
    return times.user + times.system + gone + sum(_cpu_s(child.pid) for child in process.children())


def resident_mib(pids: Iterable[int]) -> int:
    return sum(psutil.Process(pid).memory_info().rss for pid in pids) // 1024**2


def differences(begun: Look, ended: Look, report: Mapping[str, float]) -> Figures:
    """What the measured time cost, a completed workflow or a second."""
    completed = max(report["completed"], 1)
    spent = {name: ended.cpu_s[name] - begun.cpu_s[name] for name in begun.cpu_s}
    counted = {name: ended.database[name] - begun.database[name] for name in counters.SINCE_START}
    busy, steal = ended.busy_s - begun.busy_s, ended.steal_s - begun.steal_s
    seconds = report["seconds"]
    per_workflow = {f"{name}_cpu_ms": 1000 * spent[name] / completed for name in spent if name != "bench"}
    return {
        **{name: round(value, 3) for name, value in per_workflow.items()},
        "workflows_s": round(report["completed"] / seconds, 2),
        "busy_cores": round(busy / seconds, 3),
        "foreign_cores": round(max(busy - sum(spent.values()), 0) / seconds, 3),
        "driver_cores": round(spent["driver"] / seconds, 3),
        "worker_cores": round(spent["worker"] / seconds, 3),
        "steal_cores": round(steal / seconds, 3),
        "wal_kib": round(counted["wal_bytes"] / 1024 / completed, 1),
        "wal_images": round(counted["wal_images"] / completed, 2),
        "transactions": round(counted["transactions"] / completed, 1),
        "transactions_flush": round(counted["transactions"] / max(counted["wal_flushes"], 1), 1),
        "checkpoints": counted["checkpoints"],
        "requested_checkpoints": counted["requested_checkpoints"],
        "wal_mib": round(counted["wal_bytes"] / 1024**2),
        **{name: round(ended.database[name]) for name in counters.NOW},
    }
