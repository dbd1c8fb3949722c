"""What a rollback would do to a host, planned from what lies there as from what is rendered."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from tempo_infra.deploy.bringing import Stock
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.preview import bundle_of, preview
from tempo_infra.deploy.run import Plan
from tempo_infra.errors import StepFailedError, TempoInfraError
from tempo_infra.on_host.kept_generation import KeptGeneration
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.state import Edited, HostState
from tempo_infra.render.bundle import Bundle
from tests.fakes import FakeHosts
from tests.unit.deploy.test_rollout import pushed, trio

CLUSTER, BUNDLES = trio()
BUNDLE = next(one for one in BUNDLES if one.host == "front-1")
SYSCTL = "etc/sysctl.d/60-tempo-infra.conf"


def kept(bundle: Bundle = BUNDLE, **texts: str) -> KeptGeneration:
    found = {file.path: file.content.decode() for file in bundle.files}
    return KeptGeneration(bundle.manifest.text.decode(), found | texts)


def other() -> Bundle:
    """The generation of before: another text of one owned file."""
    files = tuple(
        replace(one, content=b"vm.swappiness = 7\n") if one.path == SYSCTL else one for one in BUNDLE.files
    )
    return replace(BUNDLE, files=files)


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda one: one.host)
def test_a_generation_that_lies_on_a_host_is_read_as_what_was_rendered(bundle: Bundle) -> None:
    found = bundle_of(bundle.host, kept(bundle), bundle.digest)
    assert (found.digest, found.manifest, found.users) == (bundle.digest, bundle.manifest, bundle.users)
    assert {one.path: one for one in found.files} == {one.path: one for one in bundle.files}
    assert found.instances == bundle.instances


@pytest.mark.parametrize(
    "damaged",
    [
        KeptGeneration("", {}),
        replace(kept(), manifest=kept().manifest + " "),  # not what its name says
        replace(kept(), texts={}),
    ],
)
def test_one_that_is_not_what_its_name_says_is_its_hosts_error(damaged: KeptGeneration) -> None:
    with pytest.raises(StepFailedError, match="is damaged"):
        bundle_of("front-1", damaged, BUNDLE.digest)


def previewed(
    to: dict[str, str], answers: dict[str, Any], states: dict[str, HostState] | None = None
) -> tuple[Plan, dict[str, TempoInfraError]]:
    hosts = FakeHosts(states or pushed(CLUSTER, BUNDLES), answers={"kept-generation": {}}, answers_of=answers)
    with Fleet(hosts.open, lambda _: None) as fleet:
        found = preview(fleet, CLUSTER.hosts, to, Stock(CLUSTER.images))
    assert {step for _, step in hosts.asked} <= {"kept-generation"}  # nothing is changed, and nobody locked
    return found


def test_the_plan_is_from_what_is_to_what_was() -> None:
    plan, errors = previewed({"front-1": other().digest}, {"front-1": asdict(kept(other()))})
    assert errors == {}
    [host] = plan.hosts
    assert (host.host, [one.path for one in host.changes]) == ("front-1", [SYSCTL])
    assert "+vm.swappiness = 7" in host.changes[0].diff
    assert (host.problems, host.restarts) == ((), ())


def test_what_somebody_edited_in_place_is_said_to_stay_and_stands_in_no_way() -> None:
    path = next(one.path for one in BUNDLE.files if one.path.startswith("services/"))
    states = pushed(CLUSTER, BUNDLES)
    states["front-1"] = replace(
        states["front-1"],
        tampered={path: "edited"},
        installed={**states["front-1"].installed, SYSCTL: "0" * 64},
        edited={SYSCTL: Edited("", "edited")},
    )
    plan, _ = previewed({"front-1": other().digest}, {"front-1": asdict(kept(other()))}, states)
    [host] = plan.hosts
    assert host.problems == ()
    assert host.take_over == (SYSCTL,)  # a copy of it is kept
    assert [one for one in host.notes if path in one]


def test_where_what_is_current_is_damaged_the_way_back_is_open() -> None:
    states = pushed(CLUSTER, BUNDLES)
    states["front-1"] = replace(states["front-1"], manifest="{")
    plan, errors = previewed({"front-1": other().digest}, {"front-1": asdict(kept(other()))}, states)
    assert (plan.hosts, errors) == ((), {})
    assert plan.errors["front-1"].what == "the manifest of the current generation is damaged"


def test_a_host_that_goes_to_generation_0_has_no_plan_and_is_asked_whether_it_can() -> None:
    answers = {"front-1": asdict(kept(other())), "history-1": asdict(KeptGeneration(""))}
    plan, errors = previewed({"front-1": other().digest, "history-1": ZERO}, answers)
    assert ([one.host for one in plan.hosts], errors) == (["front-1"], {})


def test_what_a_host_answers_otherwise_is_its_error_and_no_others() -> None:
    answers = {"front-1": asdict(kept(other())), "history-1": {"manifest": json.dumps({"files": []})}}
    plan, errors = previewed({"front-1": other().digest, "history-1": BUNDLE.digest}, answers)
    assert list(errors) == ["history-1"]
    assert [one.host for one in plan.hosts] == ["front-1"]
