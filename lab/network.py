"""The lab's own network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.process import run, succeeds
from lab.spec import BRIDGE, GATEWAY, LABEL, NETWORK, SUBNET

if TYPE_CHECKING:
    from lab.steps import Step


def ensure(step: Step) -> None:
    """Have the network; a bridge of that name without a network is what a killed engine left."""
    if succeeds(["docker", "network", "inspect", NETWORK]):
        return
    step.working(SUBNET)
    if Path("/sys/class/net", BRIDGE).exists():
        run(["ip", "link", "delete", BRIDGE])
    addresses = [
        "--subnet",
        SUBNET,
        "--gateway",
        GATEWAY,
        "--opt",
        f"com.docker.network.bridge.name={BRIDGE}",
    ]
    run(["docker", "network", "create", "--label", f"{LABEL}=1", *addresses, NETWORK])


def remove() -> None:
    """Remove the network, if it is there."""
    run(["docker", "network", "rm", NETWORK], check=False)
