"""What is made to cost a lot costs little: under a second and 100 MB, the program's own start included."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

MOST_S, MOST_MB = 1.0, 100
SCRIPT = """
import resource, sys
from pathlib import Path
from tempo_infra.errors import InputError
from tempo_infra.inventory import load
try:
    load(Path(sys.argv[1]))
except InputError as error:
    used = resource.getrusage(resource.RUSAGE_SELF)
    [high] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print(used.ru_utime + used.ru_stime, int(high) / 1024, str(error).splitlines()[0], sep="|")
"""


def laughs(_: Path) -> str:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda _: "a" * 100_000_000, "larger than 1 MiB"),
        (lambda _: "[" * 1_000_000, "nested deeper than 40 levels"),
        (lambda _: "a: [" + "1," * 400_000 + "]", "more than 20000 values"),
        (laughs, "anchors are not allowed"),
        (lambda _: "a: &a [*a]", "anchors are not allowed"),
        (lambda _: "a: " + "x" * 1_000_000, "cluster: is missing"),
    ],
    ids=["100 MB", "deep", "wide", "laughs", "recursive", "long"],
)
def test_a_bomb_is_refused_quickly_and_in_little_memory(
    tmp_path: Path, content: Callable[[Path], str], says: str
) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(content(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, check=True, timeout=60
    )
    seconds, megabytes, said = done.stdout.strip().split("|")
    assert says in said
    assert float(seconds) < MOST_S
    assert float(megabytes) < MOST_MB
