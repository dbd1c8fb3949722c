"""Sessions to hosts: opened when they are first asked for, ended together, or one by one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.deploy.fleet import Fleet
from tempo_infra.errors import UnreachableError
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Host

CLUSTER = load(Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml")
FRONT, DATABASE = CLUSTER.host("front-1"), CLUSTER.host("db-1")
Opener = Callable[[Host], contextlib.AbstractContextManager[Any]]


def opener(seen: list[str], *, lost: bool = False) -> Opener:
    @contextlib.contextmanager
    def opened(host: Host) -> Iterator[object]:
        seen.append(f"open {host.name}")
        yield object()
        seen.append(f"end {host.name}")
        if lost:
            raise UnreachableError("the connection was lost", host=host.name)

    return opened


def test_a_session_is_opened_once_and_all_are_ended_together() -> None:
    seen: list[str] = []
    with Fleet(opener(seen), lambda _: None) as fleet:
        assert fleet.session(FRONT) is fleet.session(FRONT)
        fleet.session(DATABASE)
    assert seen == ["open front-1", "open db-1", "end db-1", "end front-1"]


@pytest.mark.parametrize("lost", [False, True])
def test_a_host_that_is_opened_again_was_let_go_of_before(*, lost: bool) -> None:
    """Its program would keep the lock; where a reboot has ended it, ending it again is no error."""
    seen: list[str] = []
    with contextlib.suppress(UnreachableError), Fleet(opener(seen, lost=lost), lambda _: None) as fleet:
        first = fleet.session(FRONT)
        assert fleet.reopen(FRONT) is not first
        assert seen == ["open front-1", "end front-1", "open front-1"]
    assert seen[3:] == ["end front-1"]
