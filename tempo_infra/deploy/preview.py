"""What going back would do to each host: the generation that lies there, planned as a new one would be."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from tempo_infra.deploy import responses
from tempo_infra.deploy.inspect import Supply, read_state
from tempo_infra.deploy.plan import plan_host
from tempo_infra.deploy.preconditions import Allowed
from tempo_infra.deploy.run import Plan
from tempo_infra.errors import StepFailedError
from tempo_infra.on_host import manifest
from tempo_infra.on_host.kept_generation import KeptGeneration
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.steps import reading
from tempo_infra.on_host.wire import read_json
from tempo_infra.render.bundle import Bundle, File

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.deploy.bringing import Stock
    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.deploy.plan import HostPlan
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Host

OVERWRITES = Allowed(take_over=True)  # what somebody edited is kept aside, as `arm` does


def preview(
    fleet: Fleet, hosts: Sequence[Host], to: Mapping[str, str], stock: Stock
) -> tuple[Plan, dict[str, TempoInfraError]]:
    """Read the generations and what runs now, and compare; the errors of hosts that can't go there.

    What stands in a plan's way does not stand in this one's: the host has run that generation. What can't be
    compared, as with a damaged manifest of the one that is current, is said in the plan and ends nothing.
    But images that are gone there, and that nobody can bring, do: a host can't go there without.
    """
    steps = {name: [reading.KeptGeneration(digest)] for name, digest in to.items()}
    kept, errors = fleet.ask(steps, hosts, KeptGeneration)
    going = [host for host in hosts if to.get(host.name, ZERO) != ZERO and host.name in kept]
    bundles, damaged = fleet.each(going, lambda one: bundle_of(one.name, kept[one.name], to[one.name]))
    there = [host for host in going if host.name in bundles]
    plans, failed = fleet.each(
        there, lambda host: _plan(fleet, host, bundles[host.name], to[host.name], stock)
    )
    without = {name: one for name, one in failed.items() if isinstance(one, WithoutError)}
    rest = {name: one for name, one in failed.items() if name not in without}
    return Plan(tuple(plans.values()), rest, {}), errors | damaged | without


class WithoutError(StepFailedError):
    """Images of a generation are not there, and nobody can bring them."""


def _plan(fleet: Fleet, host: Host, bundle: Bundle, digest: str, stock: Stock) -> HostPlan:
    state, _ = read_state(fleet.session(host), bundle, Supply({}), host.internal)
    bring, without = stock.bring(bundle, state)
    if without:
        raise WithoutError("; ".join(without), host=host.name, remedy="nothing was changed")
    made = plan_host(host, bundle, replace(state, tampered={}), {}, OVERWRITES)
    shared = {file.path for file in bundle.files if file.path.startswith("services/")}
    edited = sorted(shared & state.tampered.keys())
    return replace(
        made, digest=digest, bring=bring, problems=(), notes=(*made.notes, *map(_stays_edited, edited))
    )


def _stays_edited(path: str) -> str:
    """Say that a generation is gone back to as it lies there."""
    return f"{path} was edited on the host; a rollback does not put that right, `tempo-infra provision` does"


def bundle_of(host: str, kept: KeptGeneration, digest: str) -> Bundle:
    """Return a generation as if it were rendered. StepFailedError for one that is not what its name says."""
    damaged = StepFailedError(f"generation {digest[:12]} is damaged", host=host)
    if hashlib.sha256(kept.manifest.encode()).hexdigest() != digest:
        raise damaged
    try:
        made = manifest.of(responses.harmless(read_json(kept.manifest), str))
        files = tuple(
            File(path, kept.texts[path].encode(), one.mode, one.uid, one.effect, live=one.live)
            for path, one in sorted(made.files.items())
        )
    except (ValueError, KeyError, RecursionError):
        raise damaged from None
    return Bundle(
        host,
        files,
        made.instances,
        cluster=made.cluster,
        users=made.users,
        networks=made.networks,
        material=made.material,
    )
