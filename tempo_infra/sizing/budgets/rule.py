"""What a budget is, and how the rules read the values that will be rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tempo_infra.inventory import dynamic_config, parameters
from tempo_infra.sizing.overrides import effective
from tempo_infra.sizing.settings import MIB
from tempo_infra.topology import store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.sizing.breach import Breach
    from tempo_infra.sizing.settings import HostSettings, Setting, Settings

    Check: TypeAlias = Callable[[Cluster, Settings], Iterator[Breach]]


@dataclass(frozen=True, slots=True)
class Budget:
    """One rule: `says` is its arithmetic, `why` what happens when it does not hold."""

    id: str
    says: str
    why: str
    check: Check


def rule(name: str, *, says: str, why: str) -> Callable[[Check], Budget]:
    """Make a budget of the function that finds where it does not hold."""
    return lambda check: Budget(name, says, why, check)


def pairs(cluster: Cluster, settings: Settings) -> Iterator[tuple[Host, HostSettings]]:
    return zip(cluster.hosts, settings.hosts, strict=True)


def line(cluster: Cluster, settings: Settings, name: str) -> int:
    """Return a line of postgresql.conf in bytes, seconds or plain; without it, the server's default."""
    version = int(cluster.postgres.version)
    found = settings.host(store(cluster).writer.name).setting(name)
    text = found.text if found else parameters.postgresql(version)[name].default
    return int(parameters.in_base(version, name, text))


def dynamic(settings: tuple[Setting, ...], name: str, default: float) -> float:
    """Return a number of dynamic configuration; durations in seconds."""
    found = next((one for one in settings if one.name == name), None)
    if found is None:
        return default
    return dynamic_config.duration_s(found.text)  # of a plain number: that number


def pool_levers(cluster: Cluster) -> tuple[str, ...]:
    names = {name for host in cluster.hosts for name in effective(cluster, host, "pools")}
    return tuple(f"pools.{name}" for name in sorted(names))


def mib(size: int) -> str:
    return f"{-(-size // MIB)} MiB"
