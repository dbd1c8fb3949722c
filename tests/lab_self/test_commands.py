"""What the lab's commands make of their words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import lab.__main__ as commands
from lab import hosts
from lab.hosts import Host, Lab

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.paths import Home
    from lab.spec import HostSpec
    from lab.steps import Steps


@pytest.mark.parametrize(("has", "asked", "gets"), [(0, "3", 3), (5, "3", 5), (3, "5", 5)])
def test_hosts_that_the_lab_has_stay_whoever_asks_for_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: int, asked: str, gets: int
) -> None:
    """`make demo` and the VM want three; tests of faults want the others, which go on running."""

    def lab(count: int) -> Lab:
        one = Host("front-1", "tempo-lab-front-1", "127.0.1.11", 22, "10.99.0.11", 2048, 2, tmp_path)
        return Lab(tmp_path, (one,) * count, 1024, "registry.lab:5000", ())

    def up(home: Home, specs: Sequence[HostSpec], steps: Steps) -> Lab:
        del home, steps
        return lab(len(specs))

    monkeypatch.setenv("TEMPO_LAB_HOME", str(tmp_path))
    if has:
        (tmp_path / "lab.json").write_text(hosts.describe(lab(has)))
    told: list[str] = []
    monkeypatch.setattr("lab.up.up", up)
    monkeypatch.setattr("lab.steps.Steps.total", lambda _, words: told.append(words))
    assert commands.main(["up", "--hosts", asked]) == 0
    assert told[0].count("front-1") == gets
