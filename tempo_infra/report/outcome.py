"""How a run ended, in the lines that people paste: what changed, what failed, how to reach the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.deploy.rollout import Outcome
    from tempo_infra.inventory.cluster import Cluster

FRONTEND_PORT, UI_PORT, SSH_PORT = 7233, 8080, 22


def outcome_lines(outcome: Outcome, cluster: Cluster, seconds: float) -> Iterator[str]:
    yield ""
    if outcome.ok:
        changed, unchanged = len(outcome.done), len(outcome.plan.hosts) - len(outcome.done)
        yield f"{changed} changed, {unchanged} unchanged   {seconds:.1f} s"
        yield ""
        yield from reach_lines(cluster)
        return
    for name, error in outcome.errors.items():
        yield f"{name}: {error.what}"
        if error.remedy:
            yield f"  {error.remedy}"
    if outcome.not_started:
        yield f"left as they were: {', '.join(outcome.not_started)}"
    yield f"run {outcome.run} failed; every finished step is kept, and the same command goes on from there:"
    yield f"  tempo-infra provision -i {cluster.path}"


def reach_lines(cluster: Cluster) -> Iterator[str]:
    """Yield how to reach the cluster, as commands to paste."""
    frontend = cluster.with_role(Role.FRONTEND)[0]
    names = ", ".join(namespace.name for namespace in cluster.temporal.namespaces) or "none yet"
    yield f"  reach it:  workers   {frontend.internal}:{FRONTEND_PORT}, namespaces: {names}"
    for host in cluster.with_role(Role.UI)[:1]:
        login = f"{host.ssh.user}@{host.ssh.address}" + (
            f" -p {host.ssh.port}" if host.ssh.port != SSH_PORT else ""
        )
        yield f"             UI        ssh -N -L 8080:{host.internal}:{UI_PORT} {login}"
        yield "                       then http://localhost:8080"
    yield f"             check it  tempo-infra check-host -i {cluster.path}"
    yield f"             prove it  tempo-infra smoke -i {cluster.path}"
