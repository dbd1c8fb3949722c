"""A file of the operator's side that is small and becomes large when it is read is refused before it is."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_infra.cli.check_measuring import kept
from tempo_infra.deploy.plan_file import read_plan
from tempo_infra.errors import InputError
from tempo_infra.report.comparing import read_report

PLAN = b'{"schema":1,"hosts":[{"host":"a","state":{"x":['
FACTS = b'{"hosts":{"a":{"x":['
VALUE = {"mappings": b"{}", "lists": b"[]", "numbers": b"1", "texts": b'""', "nested": b'{"a":[[]]}'}


@pytest.mark.parametrize(
    ("read", "head", "tail"),
    [(read_plan, PLAN, b"]}}]}"), (kept, FACTS, b"]}}}"), (read_report, FACTS, b"]}}}")],
    ids=["plan", "facts", "report"],
)
@pytest.mark.parametrize("value", VALUE.values(), ids=VALUE)
@pytest.mark.parametrize("mib", [2, pytest.param(8, marks=pytest.mark.thorough)])
def test_a_file_of_far_too_many_values_takes_little(
    tmp_path: Path, read: Callable[[Path], object], head: bytes, tail: bytes, value: bytes, mib: int
) -> None:
    path = tmp_path / "x.json"
    many = (mib << 20) // (len(value) + 1)
    path.write_bytes(head + b",".join([value] * many) + tail)
    tracemalloc.start()
    with pytest.raises(InputError):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < mib * 8 << 20
    tracemalloc.stop()
    content = path.read_bytes()
    whole = min(_took(lambda: json.loads(content)) for _ in range(2))
    assert min(_took(lambda: _refused(read, path)) for _ in range(2)) < 10 * whole


def _refused(read: Callable[[Path], object], path: Path) -> None:
    with pytest.raises(InputError):
        read(path)


def _took(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
