"""What `plan` and `provision` begin with: the inventory rendered, the secrets opened, the sessions ready."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from tempo_infra.cli.sudo import ask_password
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.options import USUAL, Options
from tempo_infra.deploy.session import Sudo, open_session
from tempo_infra.inventory import load
from tempo_infra.render import render
from tempo_infra.secrets import SecretStore, redactor
from tempo_infra.sizing import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tempo_infra.deploy.events import Progress
    from tempo_infra.deploy.rollout import Rollout
    from tempo_infra.inventory.cluster import Cluster, Host


class Relay:
    """Passes events on to whatever shows them; nothing shows them before `to` is set."""

    def __init__(self) -> None:
        self.to: Callable[[Progress], None] = lambda _: None

    def __call__(self, progress: Progress) -> None:
        self.to(progress)


@dataclass(frozen=True, slots=True)
class Run:
    cluster: Cluster
    hosts: tuple[Host, ...]
    rollout: Rollout
    report: Relay
    fleet: Fleet
    store: SecretStore


@contextlib.contextmanager
def opened(
    inventory: Path,
    names: list[str] | None,
    *,
    options: Options = USUAL,
    ask_sudo_password: bool = False,
) -> Iterator[Run]:
    """Load, size, open the secrets and render; sessions are closed at the end. Any TempoInfraError.

    Hosts are reached as soon as nothing in the input can be wrong any more, while the rest is done here.
    """
    cluster = load(inventory)
    hosts = cluster.only(names)
    settings = size(cluster)
    store = SecretStore.open(cluster.secrets)
    secrets = store.ensure([cluster.secrets.login.secret])
    for notice in store.notices:
        typer.echo(f"note: {notice}", err=True)
    sudo = Sudo(ask_password() if ask_sudo_password else None)
    relay = Relay()
    hide = redactor(store.read().values())
    with Fleet(lambda host: open_session(host, sudo, hide), relay) as fleet:
        bundles = render(cluster, settings, sound=lambda: fleet.reach(hosts))
        from tempo_infra.deploy.rollout import Rollout

        rollout = Rollout(cluster, bundles, secrets, fleet, options, settings)
        yield Run(cluster, hosts, rollout, relay, fleet, store)
