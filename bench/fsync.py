"""The fsync probe beside fio, on one file system, slice by slice: docs/benchmarks/fsync.md.

Both overwrite 8 KiB of a written file of 16 MiB and call fdatasync, whose time alone is compared. A disk's
speed changes from second to second by more than the two differ, so within a pair they take turns of 50 ms:
fio is stopped (SIGSTOP) while the probe measures, and the probe waits while fio does. The one call of fio's
in each turn that is under way when it is stopped seems long; that moves p99, and neither p50 nor p90.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tempo_infra.on_host.probes import disk, fsync, priority

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "fsync.md"
PAIRS, SECONDS = 30, 4.0
TURN_S = 0.05
BAR_PERCENT = 5.0
STARTING_S = 0.3  # until fio has laid out its file


@dataclass(frozen=True)
class Sample:
    """What one of the two measured in a pair, in microseconds."""

    n: int
    p50: float
    p90: float


@dataclass(frozen=True)
class Pair:
    ours: Sample
    fio: Sample

    @property
    def p50(self) -> float:
        return self.ours.p50 / self.fio.p50

    @property
    def p90(self) -> float:
        return self.ours.p90 / self.fio.p90


def main() -> None:
    """Measure all pairs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--directory", type=Path, default=Path.home(), help="on the file system to measure")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each pair")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    need_fio()
    with tempfile.TemporaryDirectory(dir=options.directory, prefix="bench-fsync-") as folder:
        pairs = measured(Path(folder), options.pairs, options.seconds)
        where = disk.read(folder).mount.value
    options.page.write_text(page(pairs, options.seconds, where.filesystem if where else "unknown"))
    print(options.page.read_text())


def need_fio() -> None:
    if shutil.which("fio") is None:
        print("installing fio (apt-get)")
        subprocess.run(["apt-get", "install", "-qy", "fio"], check=True, stdout=subprocess.DEVNULL)


def measured(folder: Path, count: int, seconds: float) -> list[Pair]:
    """Measure pairs; one goes before, to lay out fio's file and to warm up both."""
    with fsync.scratch_file(str(folder)) as descriptor:
        return [pair(folder, descriptor, seconds) for _ in range(count + 1)][1:]


def pair(folder: Path, descriptor: int, seconds: float) -> Pair:
    """Let fio run for some seconds, and stop it every other turn for one of ours."""
    report = folder / "fio.json"
    probe = fsync.Probe(str(folder), descriptor)
    with subprocess.Popen([*fio_words(folder, seconds), f"--output={report}"]) as fio:
        time.sleep(STARTING_S)
        until = time.monotonic() + seconds - STARTING_S
        while fio.poll() is None and time.monotonic() < until:
            fio.send_signal(signal.SIGSTOP)
            with priority.lowest_io():
                probe.burst(TURN_S)
            fio.send_signal(signal.SIGCONT)
            time.sleep(TURN_S)
    told: dict[str, Any] = json.loads(report.read_text())["jobs"][0]["sync"]["lat_ns"]
    theirs = [told["percentile"][name] / 1000 for name in ("50.000000", "90.000000")]
    ordered = probe.ordered_us()
    mine = [fsync.percentile(ordered, part) for part in (0.5, 0.9)]
    return Pair(Sample(len(ordered), mine[0], mine[1]), Sample(told["N"], theirs[0], theirs[1]))


def fio_words(folder: Path, seconds: float) -> list[str]:
    return [
        "fio",
        "--name=fsync",
        "--thread",
        f"--filename={folder}/fio",
        "--rw=write",
        "--ioengine=psync",
        f"--bs={fsync.BLOCK_BYTES}",
        f"--size={fsync.FILE_BYTES}",
        "--fdatasync=1",
        "--overwrite=1",
        "--time_based",
        f"--runtime={round(seconds * 1000)}ms",
        "--percentile_list=50:90",
        "--output-format=json",
    ]


def page(pairs: list[Pair], seconds: float, filesystem: str) -> str:
    p50s = [one.p50 for one in pairs]
    off = 100 * abs(statistics.median(p50s) - 1)
    met = "met" if off <= BAR_PERCENT else "missed"
    ours, theirs = [one.ours.p50 for one in pairs], [one.fio.p50 for one in pairs]
    asked = subprocess.run(["fio", "--version"], capture_output=True, text=True, check=True)
    calls = sum(one.ours.n for one in pairs), sum(one.fio.n for one in pairs)
    system = f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    return f"""# The fsync probe beside fio

Written by `make bench-fsync`: {len(pairs)} pairs of {seconds:g} s on {filesystem}, {os.cpu_count()} cores,
{system}, {asked.stdout.strip()}. Both overwrite 8 KiB of a written file of 16 MiB, then call
fdatasync (fio: `--fdatasync=1 --bs=8k --overwrite=1`); the time of that call alone is compared,
{calls[0]} calls of ours and {calls[1]} of fio's. Within a pair they take turns of
{round(TURN_S * 1000)} ms, so that both meet the same disk.

| ratio, ours to fio's | median | middle half | least-most |
|---|---|---|---|
| p50 | {spread(p50s)} |
| p90 | {spread([one.p90 for one in pairs])} |

The bar: the median ratio of p50 within {BAR_PERCENT:g} %. It is {off:.1f} % off: **{met}**.

| p50 of a pair, µs | median | middle half | least-most |
|---|---|---|---|
| ours | {spread(ours, 1)} |
| fio | {spread(theirs, 1)} |
"""


def spread(values: list[float], digits: int = 3) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    edges = f"{low:.{digits}f}-{high:.{digits}f} | {min(values):.{digits}f}-{max(values):.{digits}f}"
    return f"{middle:.{digits}f} | {edges}"


if __name__ == "__main__":
    main()
