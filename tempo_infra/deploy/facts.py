"""Measuring hosts: facts come back, or the error that stood in the way."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from tempo_infra.checks import read_facts
from tempo_infra.deploy.session import Sudo, open_session
from tempo_infra.on_host.wire import Step
from tempo_infra.ssh import fan_out

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Host
    from tempo_infra.on_host.facts import Facts, FactsOptions

AT_ONCE = 4  # measurements of hosts on one hypervisor would disturb each other if all ran together


def gather(
    hosts: Sequence[Host], options: Mapping[str, FactsOptions], sudo: Sudo
) -> Mapping[str, Facts | TempoInfraError]:
    """Measure hosts side by side, each over one new connection: login limits are those of a fresh login."""
    by_name = {host.name: host for host in hosts}

    def measure(name: str) -> Facts:
        with open_session(by_name[name], sudo) as session:
            [answer] = session.call([Step("facts", asdict(options[name]))])
        return read_facts(json.dumps(answer), host=name)

    return fan_out(measure, by_name, at_once=AT_ONCE)
