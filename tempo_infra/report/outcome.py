"""How a run ended, in the lines that people paste: what changed, what failed, how to reach the cluster."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tempo_infra.hints import hint
from tempo_infra.topology import endpoints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.deploy.run import Lost, Outcome
    from tempo_infra.inventory.cluster import Cluster

SSH_PORT = 22


def outcome_lines(
    outcome: Outcome, cluster: Cluster, seconds: float, again: str, *, quiet: bool = False
) -> Iterator[str]:
    """Yield how a run ended; `again` is the command that was given; `quiet`: nothing where nothing failed."""
    if quiet and outcome.ok:
        return
    yield ""
    if outcome.ok:
        changed, unchanged = len(outcome.done), len(outcome.plan.hosts) - len(outcome.done)
        yield f"{changed} changed, {unchanged} unchanged   {seconds:.1f} s"
        yield from _others(outcome, cluster)
        yield ""
        yield from reach_lines(cluster)
        return
    for name, error in outcome.errors.items():
        if name not in outcome.lost:
            yield f"{name}: {error.what}"
            if error.remedy:
                yield f"  {error.remedy}"
    for name, lost in outcome.lost.items():
        yield from lost_lines(name, lost, outcome.run)
    for name, now in outcome.now.items():
        yield f"{name}: {now}"
    if outcome.not_started:
        yield f"left as they were: {', '.join(outcome.not_started)}"
    if outcome.lost:
        words = hint(f"resume {outcome.run}", cluster.path)
        yield f"  what now:  {words}      or wait; nothing is half done"
        return
    yield f"run {outcome.run} {_ended(outcome)}:"
    yield f"  {again}"


def _ended(outcome: Outcome) -> str:
    if outcome.done:
        return f"is confirmed on {', '.join(outcome.done)}; the same command does what is left"
    return f"{'was stopped' if outcome.interrupted else 'failed'}; the same command tries again"


def _others(outcome: Outcome, cluster: Cluster) -> Iterator[str]:
    for one in outcome.plan.departed:
        yield f"{one.name} has left the cluster"
    if outcome.plan.without:
        yield f"left out: {', '.join(outcome.plan.without)}; once back:  {hint('provision', cluster.path)}"


def lost_lines(name: str, lost: Lost, run: str) -> Iterator[str]:
    """Yield where a host stands that was armed and then lost, or left in a step that hangs."""
    by = time.strftime("%H:%M:%S", time.localtime(lost.decides_by))
    back = lost.previous[:12] if lost.previous else "what was there before (generation 0)"
    what = lost.why or f'lost the connection in step "{lost.step}"'
    yield f"{name}: {what} (run {run})"
    yield f"  the host goes on by itself: healthy, it keeps the new generation {lost.generation[:12]};"
    yield f"  not healthy, it goes back to {back}, at {by} at the latest"


def reach_lines(cluster: Cluster) -> Iterator[str]:
    """Yield how to reach the cluster, as commands to paste."""
    first, *others = endpoints(cluster, "frontend")
    names = ", ".join(namespace.name for namespace in cluster.temporal.namespaces) or "none yet"
    if others:
        yield f"  reach it:  workers   {first}"
        yield from (f"                    or {other}" for other in others)
        yield f"                       each serves all namespaces: {names}"
    else:
        yield f"  reach it:  workers   {first}, namespaces: {names}"
    for ui in endpoints(cluster, "ui", "http"):
        host = cluster.host(ui.host)
        login = f"{host.ssh.user}@{host.ssh.address}" + (
            f" -p {host.ssh.port}" if host.ssh.port != SSH_PORT else ""
        )
        yield f"             UI        ssh -N -L {ui.port}:127.0.0.1:{ui.port} {login}"
        yield f"                       then http://localhost:{ui.port}"
    yield f"             check it  {hint('check-host', cluster.path)}"
    yield f"             prove it  {hint('smoke', cluster.path)}"
