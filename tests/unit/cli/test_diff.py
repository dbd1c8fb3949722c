"""`diff`: what one host has answered hides no other host's drift."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.on_host.state import Edited
from tests.fakes import FakeHosts
from tests.unit.deploy.test_rollout import SECRETS, fresh, trio

EDITED = {"etc/security/limits.d/tempo.conf": Edited("a\n", "b\n")}


@pytest.mark.parametrize("damaged", ["db-1", "front-1"])
def test_a_damaged_manifest_is_its_hosts_error(damaged: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, bundles = trio()
    states = {name: replace(one, edited=EDITED) for name, one in fresh(cluster).items()}
    states[damaged] = replace(states[damaged], manifest="{")
    with Fleet(FakeHosts(states).open, lambda _: None) as fleet:
        run = SimpleNamespace(
            hosts=cluster.hosts, fleet=fleet, rollout=Rollout(cluster, bundles, SECRETS, fleet)
        )
        monkeypatch.setattr("tempo_infra.cli.run.opened", lambda *_, **__: contextlib.nullcontext(run))
        done = CliRunner().invoke(app, ["diff"])
    others = {host.name for host in cluster.hosts} - {damaged}
    assert {line for line in done.stdout.splitlines() if not line.startswith(" ")} == others
    assert f"{damaged:<12}? the manifest of the current generation is damaged" in done.stderr
