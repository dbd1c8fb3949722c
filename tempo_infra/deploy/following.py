"""Bundles follow the hosts: containers go on as the users to whom what lies there belongs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.deploy.inspect import read_state
from tempo_infra.render import render
from tempo_infra.sizing import size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.deploy.inspect import Digests, Supply
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Cluster, Host
    from tempo_infra.on_host.state import HostState
    from tempo_infra.on_host.steps.step import Step
    from tempo_infra.on_host.users import Users
    from tempo_infra.render import Known
    from tempo_infra.render.bundle import Bundle
    from tempo_infra.sizing import Settings

    Answers = dict[str, tuple[HostState, Digests]]


@dataclass(frozen=True)
class Reader:
    """Reads hosts, and renders again for those whose users are others than was taken for granted."""

    cluster: Cluster
    settings: Settings | None
    fleet: Fleet

    def read(
        self, hosts: Sequence[Host], bundles: Mapping[str, Bundle], supply: Supply, first: Sequence[Step]
    ) -> tuple[Answers, dict[str, TempoInfraError], dict[str, Bundle]]:
        """Return what hosts answered, those that did not, and the bundles that fit. InputError as `render`.

        A host whose bundle is another is asked a second time: it was compared with what it would not get.
        """
        answers, errors = self._ask(hosts, bundles, supply, first)
        users = {name: state.users for name, (state, _) in answers.items()}
        moved = {name: one for name, one in users.items() if bundles[name].users != one}
        fitting = {**bundles, **(self.rendered(moved, supply.known) if moved else {})}
        others = [host for host in hosts if fitting[host.name] is not bundles[host.name]]
        if others:
            again, failed = self._ask(others, fitting, supply, ())
            answers = {name: one for name, one in answers.items() if name not in failed} | again
            errors = errors | failed
        return answers, errors, fitting

    def _ask(
        self, hosts: Sequence[Host], bundles: Mapping[str, Bundle], supply: Supply, first: Sequence[Step]
    ) -> tuple[Answers, dict[str, TempoInfraError]]:
        return self.fleet.each(
            hosts,
            lambda host: read_state(
                self.fleet.session(host), bundles[host.name], supply, host.internal, first
            ),
        )

    def rendered(self, users: Mapping[str, Users], known: Mapping[str, Known]) -> dict[str, Bundle]:
        """Return a bundle for each host, whose containers run as these users."""
        settings = self.settings or size(self.cluster)
        made = {
            one: {bundle.host: bundle for bundle in render(self.cluster, settings, users=one, known=known)}
            for one in set(users.values())
        }
        return {host: made[one][host] for host, one in users.items()}
