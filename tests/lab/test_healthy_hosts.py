"""A healthy host shows what its reviewed list says, run after run: no alarm that comes and goes."""

from __future__ import annotations

import json

import pytest

from lab.expected import RACK as BASELINES
from lab.expected import beyond
from tests.lab.conftest import Inventory

pytestmark = [pytest.mark.lab, pytest.mark.faults]

# Full runs measure durable writes and steal; the others are quick. Twenty in all.
RUNS = ("full", *("quick",) * 4) * 4


@pytest.mark.parametrize(("run", "how"), tuple(enumerate(RUNS, 1)))
def test_every_host_is_as_its_list_says(cluster: Inventory, run: int, how: str) -> None:
    quick = how == "quick"
    ran = cluster.run("check-host", "--format", "json", *(("--quick",) if quick else ()))
    reports = {one["name"]: one for one in json.loads(ran.out)["hosts"]}
    assert set(reports) == set(BASELINES)
    found = {name: beyond(reports[name]["findings"], known, quick=quick) for name, known in BASELINES.items()}
    assert found == {name: {} for name in BASELINES}, f"run {run}"


def test_every_entry_of_a_list_was_seen_or_may_pass(cluster: Inventory) -> None:
    """An entry that nothing shows any more would hide the next fault there."""
    ran = cluster.run("check-host", "--format", "json")
    for report in json.loads(ran.out)["hosts"]:
        outcomes: dict[str, set[str]] = {}
        for one in report["findings"]:
            for name in (one["id"], f"{one['id']} {one['subject']}"):
                outcomes.setdefault(name, set()).add(one["outcome"])
        stale = [
            name
            for name, entry in BASELINES[report["name"]].items()
            if "pass" not in entry.outcomes and not entry.outcomes & outcomes.get(name, set())
        ]
        assert stale == []
