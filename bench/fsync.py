"""The fsync probe beside fio, on one file system, turn by turn: docs/benchmarks/fsync.md.

Both overwrite 8 KiB of a written file of 16 MiB and call fdatasync, whose time alone is compared. A disk's
speed changes from second to second, more than the two differ: so they take turns, each first in every other
pair, and the median of the pairs' ratios is what counts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tempo_infra.on_host.probes import disk, fsync, priority

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "fsync.md"
PAIRS, SECONDS = 90, 0.6
BAR_PERCENT = 5.0


@dataclass(frozen=True)
class Sample:
    """One turn of one of the two, in microseconds."""

    n: int
    p50: float
    p99: float


@dataclass(frozen=True)
class Pair:
    ours: Sample
    fio: Sample

    @property
    def p50(self) -> float:
        return self.ours.p50 / self.fio.p50

    @property
    def p99(self) -> float:
        return self.ours.p99 / self.fio.p99


def main() -> None:
    """Measure all pairs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--directory", type=Path, default=Path.home(), help="on the file system to measure")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each turn")
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
    """Take turns; one of each goes before, to lay out fio's file and to warm up both."""
    with fsync.scratch_file(str(folder)) as descriptor:
        ours(folder, descriptor, 0.5)
        fio(folder, 0.5)
        pairs = []
        for index in range(count):
            if index % 2:
                second = fio(folder, seconds)
                pairs.append(Pair(ours(folder, descriptor, seconds), second))
            else:
                first = ours(folder, descriptor, seconds)
                pairs.append(Pair(first, fio(folder, seconds)))
        return pairs


def ours(folder: Path, descriptor: int, seconds: float) -> Sample:
    probe = fsync.Probe(str(folder), descriptor)
    with priority.lowest_io():
        probe.burst(seconds)
    found = probe.result()
    return Sample(found.n, found.p50_us, found.p99_us)


def fio(folder: Path, seconds: float) -> Sample:
    words = [
        "fio",
        "--name=fsync",
        f"--filename={folder}/fio",
        "--rw=write",
        "--ioengine=psync",
        f"--bs={fsync.BLOCK_BYTES}",
        f"--size={fsync.FILE_BYTES}",
        "--fdatasync=1",
        "--overwrite=1",
        "--time_based",
        f"--runtime={round(seconds * 1000)}ms",
        "--percentile_list=50:99",
        "--output-format=json",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)["jobs"][0]["sync"]
    percentiles = told["lat_ns"]["percentile"]
    return Sample(told["lat_ns"]["N"], percentiles["50.000000"] / 1000, percentiles["99.000000"] / 1000)


def page(pairs: list[Pair], seconds: float, filesystem: str) -> str:
    p50s, p99s = [one.p50 for one in pairs], [one.p99 for one in pairs]
    off = 100 * abs(statistics.median(p50s) - 1)
    met = "met" if off <= BAR_PERCENT else "missed"
    ours, theirs = [one.ours.p50 for one in pairs], [one.fio.p50 for one in pairs]
    asked = subprocess.run(["fio", "--version"], capture_output=True, text=True, check=True)
    version = asked.stdout.strip()
    samples = sum(one.ours.n for one in pairs), sum(one.fio.n for one in pairs)
    system = f"Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}, {version}"
    return f"""# The fsync probe beside fio

Written by `make bench-fsync`: {len(pairs)} pairs of turns of {seconds:g} s on {filesystem},
{os.cpu_count()} cores, {system}. Both overwrite 8 KiB of a written file of 16 MiB,
then call fdatasync; the time of that call alone is compared ({samples[0]} and {samples[1]} calls).
Each goes first in every other pair.

| ratio, ours to fio's | median | middle half | least-most |
|---|---|---|---|
| p50 | {spread(p50s)} |
| p99 | {spread(p99s)} |

The bar: the median ratio of p50 within {BAR_PERCENT:g} %. It is {off:.1f} % off: **{met}**. p99 of a turn
this short is known to a factor of two only, by either program; check-host spreads its bursts over the whole
run and pools them.

| p50 of a turn, µs | median | middle half | least-most |
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
