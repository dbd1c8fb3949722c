"""The last lines of a run: how to reach the cluster, to be pasted."""

from __future__ import annotations

from tempo_infra.report.outcome import reach_lines
from tests.unit.sizing.clusters import trio


def test_the_ui_is_reached_through_ssh_on_its_hosts_loopback() -> None:
    lines = [" ".join(line.split()) for line in reach_lines(trio())]
    assert "UI ssh -N -L 8080:127.0.0.1:8080 deploy@203.0.113.1" in lines
    assert "reach it: workers 10.0.0.11:7233, namespaces: billing" in lines
