"""Owned system files and nothing else, to as many hosts as an inventory names.

    python -m bench.files_only FILE

The path is that of `tempo-infra provision`: load, size, render, one session a host, plan, stage, arm, switch,
health, confirm. Bundles are cut down to the files that go to /etc, so that many "hosts" fit into one
(lab/many.py), whose containers are left out of the plan.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.cli.collector import spare
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.inspect import Supply
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.deploy.session import Sudo, open_session
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Role
from tempo_infra.render import render
from tempo_infra.secrets import TEMPORAL_DB, Secret
from tempo_infra.sizing import size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tempo_infra.deploy.plan import HostPlan
    from tempo_infra.deploy.run import Outcome, Plan
    from tempo_infra.deploy.steps import Work
    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.render.bundle import Bundle

COMPOSE = "docker-compose.yml"


def inventory(
    addresses: Sequence[tuple[str, int]],
    internal: Sequence[str],
    *,
    key: Path,
    known_hosts: Path,
    transport: str = "paramiko",
    somaxconn: int = 4096,
) -> str:
    """An inventory of hosts that are reached as root, and of a database host that is never contacted."""
    example = (Path(__file__).parents[1] / "inventory" / "oslo-trio.yaml").read_text()
    head, _, rest = example.partition("\nhosts:")[0].partition("\nssh:")
    ssh = f"ssh:\n  user: root\n  keys: ['{key}']\n  known_hosts: '{known_hosts}'\n  transport: {transport}\n"
    kernel = f"overrides:\n  sysctl: {{net.core.somaxconn: {somaxconn}}}\n"
    database = _host("database", "10.0.1.1", 22, "10.0.1.1", "postgresql", "128GiB")
    rest = rest.replace("\naccept: []", "\naccept: [floating-images]")  # no image is pulled here
    lines = ["\n".join([head, ssh, rest[rest.index("secrets:") :], kernel, "hosts:", database])]
    roles = ("frontend", "history", "matching", "worker")
    for number, ((address, port), inner) in enumerate(zip(addresses, internal, strict=True)):
        role = roles[number % 4] if len(addresses) > 1 else f"{', '.join(roles)}"
        lines.append(_host(f"host-{number}", address, port, inner, role, "16GiB"))
    return "".join(lines)


def _host(name: str, address: str, port: int, internal: str, roles: str, memory: str) -> str:
    return (
        f"  {name}:\n    address: {address}\n    ssh: {{port: {port}}}\n    internal: {internal}\n"
        f"    class: NVMe-Series\n    roles: [{roles}]\n"
        f"    resources: {{vcpu: 16, memory: {memory}, disk: {{kind: nvme, size: 80GiB}}}}\n"
    )


def owned(bundle: Bundle) -> Bundle:
    """The same bundle without services."""
    files = tuple(
        replace(file, content=b"services: {}\n") if file.path == COMPOSE else file
        for file in bundle.files
        if file.path.startswith("etc/") or file.path == COMPOSE
    )
    return replace(bundle, files=files, instances={}, networks={}, material={}, secrets={})


def bundles(cluster: Cluster, sound: Callable[[], None] = lambda: None) -> list[Bundle]:
    return [owned(bundle) for bundle in render(cluster, size(cluster), sound=sound)]


class RunPerHost(Rollout):
    """The hosts share a systemd, in which units are named after the run."""

    def _work(self, plan: HostPlan) -> Work:
        return replace(super()._work(plan), run=f"{self.run}-{plan.host}")


def push(path: Path) -> Outcome:
    """Bring the hosts to what the inventory says."""
    cluster = load(path)
    hosts = [host for host in cluster.hosts if not host.has(Role.POSTGRESQL)]
    supply = Supply({TEMPORAL_DB: Secret(TEMPORAL_DB, "never sent")})
    with Fleet(lambda host: open_session(host, Sudo()), lambda _: None) as fleet:
        rendered = bundles(cluster, sound=lambda: fleet.reach(hosts))
        rollout = RunPerHost(cluster, rendered, supply, fleet)
        return rollout.apply(_without_containers(rollout.plan(hosts, lock=True)), lambda _: None)


def _without_containers(plan: Plan) -> Plan:
    return replace(
        plan,
        hosts=tuple(
            replace(
                one,
                stops=(),
                secrets=(),
                changes=tuple(change for change in one.changes if change.path != COMPOSE),
            )
            for one in plan.hosts
        ),
    )


def main() -> None:
    spare()
    outcome = push(Path(sys.argv[1]))
    for name, error in (outcome.plan.errors | outcome.errors).items():
        print(f"{name}: {error}", file=sys.stderr)
    for name, problem in outcome.plan.problems:
        print(f"{name}: {problem}", file=sys.stderr)
    print(f"{len(outcome.done)} changed, {len(outcome.plan.hosts) - len(outcome.done)} unchanged")
    sys.exit(0 if outcome.ok and not outcome.plan.errors and not outcome.plan.problems else 1)


if __name__ == "__main__":
    main()
