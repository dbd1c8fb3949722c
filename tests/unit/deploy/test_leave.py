"""Leaving hosts: what a host answers is believed only when it is an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tempo_infra.deploy import leave, locks
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.errors import UnreachableError
from tempo_infra.inventory import load

CLUSTER = load(Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml")


class Answering(Fleet):
    """Every host answers the same."""

    def __init__(self, answer: Any) -> None:
        super().__init__(lambda _: pytest.fail("no host is contacted"), lambda _: None)
        self._answer = answer

    def ask(self, steps: Any, hosts: Any) -> Any:
        del steps
        return {host.name: [self._answer] for host in hosts}, {}


@pytest.mark.parametrize("what", [leave.remove, leave.eject])
@pytest.mark.parametrize("answer", [None, {"data": 1, "services": 2, "compose_file": 3}, "fine", [[[]]]])
def test_an_answer_that_makes_no_sense_is_a_hosts_error(
    what: Any, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "take", lambda *_: {})
    with pytest.raises(UnreachableError, match="answer makes no sense"):
        what(Answering(answer), CLUSTER.hosts)
