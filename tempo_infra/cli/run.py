"""What `plan` and `provision` begin with: the inventory rendered, the secrets opened, the sessions ready."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.cli.notices import say_notices
from tempo_infra.cli.sudo import ask_password
from tempo_infra.deploy.departing import refuse_present
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.inspect import Supply
from tempo_infra.deploy.missing import present
from tempo_infra.deploy.options import USUAL, Options
from tempo_infra.deploy.session import Sudo, open_session
from tempo_infra.inventory import load
from tempo_infra.render import render
from tempo_infra.render.material import wanted
from tempo_infra.secrets import SecretStore, redactor
from tempo_infra.sizing import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tempo_infra.deploy.events import Progress
    from tempo_infra.deploy.rollout import Rollout
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.secrets import Found, Secret


class Relay:
    """Passes events on to whatever shows them; nothing shows them before `to` is set."""

    def __init__(self) -> None:
        self.to: Callable[[Progress], None] = lambda _: None

    def __call__(self, progress: Progress) -> None:
        self.to(progress)


class Hiding:
    """Takes the cluster's secrets out of a text, also those that are generated while sessions are open."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self.know(secrets)

    def know(self, secrets: Iterable[Secret]) -> None:
        self._hide = redactor(secrets)

    def __call__(self, text: str) -> str:
        return self._hide(text)


@dataclass(frozen=True, slots=True)
class Run:
    cluster: Cluster
    hosts: tuple[Host, ...]
    rollout: Rollout
    report: Relay
    fleet: Fleet
    store: SecretStore
    hiding: Hiding

    def supply(self) -> None:
        """Generate the secrets that are missing: only now, when nothing speaks against the run."""
        if not self.rollout.missing:
            return
        self.store.ensure(wanted(self.cluster))
        found = self.store.look()
        self.hiding.know(found.secrets.values())
        self.rollout.supply(_supply(found, self.cluster))
        say_notices(self.store)


@contextlib.contextmanager
def opened(
    inventory: Path,
    names: list[str] | None,
    *,
    options: Options = USUAL,
    ask_sudo_password: bool = False,
) -> Iterator[Run]:
    """Load, size, open the secrets and render; sessions are closed at the end. Any TempoInfraError.

    Nothing is written anywhere. Hosts are reached as soon as nothing in the input can be wrong any more,
    while the rest is done here.
    """
    cluster = load(inventory)
    hosts = present(cluster, cluster.only(names), options.without)
    refuse_present(cluster, hosts, options.gone)
    settings = size(cluster)
    store = SecretStore.open(cluster.secrets)
    found = store.look()
    sudo = Sudo(ask_password() if ask_sudo_password else None)
    relay, hiding = Relay(), Hiding(found.secrets.values())
    with Fleet(lambda host: open_session(host, sudo, hiding), relay) as fleet:
        supply = _supply(found, cluster)
        bundles = render(cluster, settings, sound=lambda: fleet.reach(hosts), known=supply.known)
        from tempo_infra.deploy.rollout import Rollout

        rollout = Rollout(cluster, bundles, supply, fleet, options, settings)
        with rollout.stock:
            yield Run(cluster, hosts, rollout, relay, fleet, store, hiding)


def _supply(found: Found, cluster: Cluster) -> Supply:
    names = wanted(cluster)
    there = {name: secret for name, secret in found.secrets.items() if name in names}
    return Supply(there, found, tuple(name for name in names if name not in there))
