"""The network of a host's containers, in the plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.deploy import network
from tempo_infra.deploy.plan import plan_host
from tempo_infra.on_host.state import HostState
from tempo_infra.on_host.subnets import Subnets
from tempo_infra.render.bundle import Bundle, File
from tests.unit.deploy.test_plan import FRESH, HOST, after, bundle

NET, OTHER = "172.30.0.0/24", "172.29.0.0/24"
WIDE = "the route 172.16.0.0/12 (wg0)"


def on(subnet: str, mode: str = "") -> Bundle:
    made = bundle()
    text = made.file("docker-compose.yml").content.decode()
    if mode:
        text = text.replace("{image", f"{{network_mode: {mode}, image")
    text += f"networks:\n  default:\n    ipam:\n      config:\n        - subnet: {subnet}\n"
    file = File("docker-compose.yml", text.encode(), 0o644, 0, "recreates")
    instances = {name: replace(one, shares_network=mode == "host") for name, one in made.instances.items()}
    files = (file, *(one for one in made.files if one.path != file.path))
    networks = {} if mode == "host" else {"default": (subnet,)}
    return replace(made, files=files, instances=instances, networks=networks)


def has(state: HostState, *, ours: str = "", by: tuple[str, ...] = ()) -> HostState:
    held = {NET: list(by), OTHER: []}
    return replace(state, subnets=Subnets(held, {"default": [ours]} if ours else {}))


def test_a_network_that_somebody_else_has_is_refused_with_one_that_is_free() -> None:
    [said] = plan_host(HOST, on(NET), has(FRESH, by=(WIDE,)), {}).problems
    assert said == (
        f"the containers' network {NET} overlaps {WIDE}: name another in the inventory, `subnet:` of all "
        f"or under hosts.db-1 ({OTHER} is free here)"
    )


@pytest.mark.parametrize("made", [on(OTHER), on(NET, "host")])
def test_another_network_and_none_are_in_nobodys_way(made: Bundle) -> None:
    assert plan_host(HOST, made, has(FRESH, by=(WIDE,)), {}).problems == ()


def test_containers_that_have_it_already_keep_it_with_a_warning() -> None:
    state = has(after(on(NET)), ours=NET, by=(WIDE,))
    found = plan_host(HOST, on(NET), state, {})
    assert (found.problems, found.subnets, found.restarts) == ((), (), ())
    [said] = network.warnings("db-1", on(NET), state)
    assert said.startswith(
        f"the containers' network {NET} overlaps {WIDE}, which this host can't reach there"
    )


def test_who_moves_is_made_anew_and_the_new_network_is_looked_at_under_the_lock() -> None:
    state = replace(
        has(after(on(NET)), ours=NET),
        texts={"docker-compose.yml": on(NET).file("docker-compose.yml").content.decode()},
    )
    found = plan_host(HOST, on(OTHER), state, {})
    assert found.subnets == (OTHER,)
    assert [(one.service, one.why) for one in found.restarts] == [
        ("postgresql", f"the containers' network becomes {OTHER}"),
        ("ui", f"the containers' network becomes {OTHER}"),
    ]
