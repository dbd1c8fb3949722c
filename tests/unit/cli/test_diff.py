"""`diff`: what one host has answered hides no other host's drift."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from tempo_infra.cli.main import app
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.on_host.state import Edited, HostState
from tests.fakes import FakeHosts
from tests.unit.deploy.test_rollout import SECRETS, fresh, trio

EDITED = {"etc/security/limits.d/tempo.conf": Edited("a\n", "b\n")}


def diff(states: dict[str, HostState], monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    cluster, bundles = trio()
    with Fleet(FakeHosts(states).open, lambda _: None) as fleet:
        run = SimpleNamespace(
            hosts=cluster.hosts, fleet=fleet, rollout=Rollout(cluster, bundles, SECRETS, fleet)
        )
        monkeypatch.setattr("tempo_infra.cli.run.opened", lambda *_, **__: contextlib.nullcontext(run))
        return CliRunner().invoke(app, ["diff", *words])


@pytest.fixture
def edited() -> dict[str, HostState]:
    return {name: replace(one, edited=EDITED) for name, one in fresh(trio()[0]).items()}


@pytest.mark.parametrize("damaged", ["db-1", "front-1"])
def test_a_damaged_manifest_is_its_hosts_error(
    damaged: str, edited: dict[str, HostState], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = diff({**edited, damaged: replace(edited[damaged], manifest="{")}, monkeypatch)
    others = set(edited) - {damaged}
    assert {line for line in done.stdout.splitlines() if not line.startswith(" ")} == others
    assert f"{damaged:<12}? the manifest of the current generation is damaged" in done.stderr


def test_for_programs_it_has_each_host_and_each_error(
    edited: dict[str, HostState], monkeypatch: pytest.MonkeyPatch
) -> None:
    edited["db-1"] = replace(edited["db-1"], manifest="{")
    edited["front-1"] = replace(edited["front-1"], edited={})
    done = diff(edited, monkeypatch, "--format", "json")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["schema"]) == (1, 1)
    none: dict[str, object] = {"files": [], "more_files": 0, "owners": [], "services": {}, "namespaces": []}
    lines = ["--- provisioned", "+++ on the host", "@@ -1 +1 @@", "-a", "+b"]
    file = {"path": "/etc/security/limits.d/tempo.conf", "missing": False, "diff": lines}
    assert said["hosts"] == {"front-1": none, "history-1": {**none, "files": [file]}}
    assert said["errors"].keys() == {"db-1"}
    assert said["errors"]["db-1"]["what"].startswith("the manifest of the current generation is damaged")


def test_without_drift_it_ends_with_0(edited: dict[str, HostState], monkeypatch: pytest.MonkeyPatch) -> None:
    states = {name: replace(one, edited={}) for name, one in edited.items()}
    done = diff(states, monkeypatch, "--format", "json")
    assert (done.exit_code, set(json.loads(done.stdout)["hosts"])) == (0, set(states))
    assert diff(states, monkeypatch).stdout == "no drift\n"
