"""What a run leaves in a host's journal about itself: what changed, short, and no secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tempo_infra.deploy.namespaces import NamespaceChange
from tempo_infra.deploy.plan import Action, Change, HostPlan, SecretChange
from tempo_infra.deploy.restarts import Restart
from tempo_infra.deploy.summary import MOST_CHARS, of_plan
from tempo_infra.deploy.values import ValueChange
from tempo_infra.on_host import journal
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.steps import change

PLAN = HostPlan(
    host="db-1",
    digest="d" * 64,
    seen="a" * 64,
    changes=(
        Change("postgresql.conf", Action.UPDATE, "restarts postgresql", "secret line"),
        Change("etc/sysctl.d/90-x.conf", Action.CREATE, "", ""),
    ),
    values=(
        ValueChange("postgresql.conf", "jit", "on", "off", "why"),
        ValueChange("docker-compose.yml", "image", "a:1@sha256:00", "a:2@sha256:11", "why"),
    ),
)


def test_values_files_services_and_namespaces_are_named() -> None:
    plan = replace(
        PLAN,
        restarts=(Restart("postgresql", "its file changes"),),
        starts=("ui",),
        secrets=(SecretChange("temporal/db_password", "abc", "def"),),
        namespaces=(NamespaceChange("billing", 72 * 3600, 240 * 3600), NamespaceChange("new", None, 3600)),
    )
    assert of_plan(plan) == (
        "postgresql.conf: jit on -> off; + etc/sysctl.d/90-x.conf; restarts postgresql; starts ui; "
        "secret temporal/db_password; namespace billing: retention 72h -> 240h; "
        "namespace new: retention 1h"
    )


def test_an_images_digest_is_left_out_and_a_first_provision_is_one_word() -> None:
    changed = (Change("docker-compose.yml", Action.UPDATE, "", ""),)
    assert of_plan(replace(PLAN, changes=changed)) == "docker-compose.yml: image a:1 -> a:2"
    assert of_plan(replace(PLAN, seen=None)) == "first provision: 2 files"
    assert of_plan(replace(PLAN, changes=())) == ""


def test_of_very_much_the_beginning_is_kept(tmp_path: Path) -> None:
    files = tuple(Change(f"services/{number}/{'x' * 200}", Action.CREATE, "", "") for number in range(500))
    text = of_plan(replace(PLAN, changes=files))
    assert len(text) == MOST_CHARS
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    journal.note(layout, change.Note("r1", "x" * 10_000, "y" * 10_000))
    [entry] = journal.entries(layout)
    assert (entry.run, entry.step, len(entry.detail), len(entry.who)) == ("r1", "note", 1000, 100)


def test_neither_a_diff_nor_a_digest_of_a_password_is_in_it() -> None:
    plan = replace(PLAN, secrets=(SecretChange("temporal/db_password", "0ld0ld", "newnew"),))
    assert not {word for word in ("secret line", "0ld0ld", "newnew") if word in of_plan(plan)}
