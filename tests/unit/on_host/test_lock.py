from __future__ import annotations

from pathlib import Path

import pytest

from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.lock import HostLock
from tempo_infra.on_host.shell import StepError


def test_a_second_run_is_told_who_holds_the_host(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first, second = HostLock(layout), HostLock(layout)
    first.acquire("7f3a", "kari@laptop")
    with pytest.raises(StepError, match=r"kari@laptop, run 7f3a, since \d{4}-"):
        second.acquire("81bb", "ola@desk")


def test_a_machine_with_two_names_is_told(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    one, other = HostLock(layout), HostLock(layout)
    one.acquire("7f3a", "kari@laptop")
    with pytest.raises(StepError, match="has it two names in the inventory"):
        other.acquire("7f3a", "kari@laptop")


def test_who_lets_go_leaves_nothing_behind(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first, second = HostLock(layout), HostLock(layout)
    first.acquire("7f3a", "kari@laptop")
    first.release()
    first.release()
    second.acquire("81bb", "ola@desk")


def test_the_same_run_may_ask_twice(tmp_path: Path) -> None:
    lock = HostLock(Layout(tmp_path))
    lock.acquire("7f3a", "kari@laptop")
    lock.acquire("7f3a", "kari@laptop")
    assert "7f3a" in Layout(tmp_path).lock.read_text()
