"""Who changed a host last, by which inventory, and what of it a run would undo."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.deploy.plan import plan_host
from tempo_infra.deploy.since import Since, since
from tempo_infra.on_host.changed import Change, Changes
from tests.unit.deploy.test_plan import HOST, after, bundle, seen_from

OLD, NOW, NEW = bundle(), bundle("a = 2\n", "bbbbbbbbbbbb"), bundle("a = 3\n", "cccccccccccc")
KARI = Change(NOW.digest, "2026-11-30T00:12:00Z", "kari@laptop", "ab12", "theirs", "health")
OLA = Change(OLD.digest, "2026-11-02T08:00:00Z", "ola@desk", "ef56", "first", "health")
BY_KARI = "last changed 2026-11-30 00:12:00 UTC by kari@laptop"


def told(
    changes: Changes, new: object = NEW, *, inventory: str = "mine", me: str = "ola@desk"
) -> tuple[Since, ...]:
    state = replace(seen_from(after(NOW), NOW, new), changes=changes)  # type: ignore[arg-type]
    plan = plan_host(HOST, new, state, {})  # type: ignore[arg-type]
    return since([plan], {HOST.name: state}, inventory, me)


@pytest.mark.parametrize(
    ("last", "me", "inventory", "words", "undoes"),
    [
        (KARI, "ola@desk", "mine", " with another inventory than yours is now (run ab12)", True),
        (KARI, "kari@laptop", "mine", " with another inventory than yours is now (run ab12)", False),
        (KARI, "ola@desk", "theirs", " with this inventory (run ab12)", False),
        (replace(KARI, inventory=""), "ola@desk", "mine", " (run ab12)", False),
        (
            replace(KARI, inventory="", how="rolled back by hand"),
            "ola@desk",
            "mine",
            ", who rolled it back by hand (run ab12)",
            False,
        ),
    ],
)
def test_who_changed_it_last_is_said_and_counts_where_it_was_another(
    last: Change, me: str, inventory: str, words: str, undoes: bool
) -> None:
    assert told(Changes(last), me=me, inventory=inventory) == (
        Since((HOST.name,), f"{BY_KARI}{words}", undoes),
    )


def test_a_run_that_goes_back_to_an_earlier_generation_is_named_also_with_the_same_operator() -> None:
    [_, back] = told(Changes(KARI, [OLA]), OLD, me="kari@laptop")
    assert back.undoes
    assert back.words == (
        f"goes back to generation {OLD.digest[:12]} of 2026-11-02 08:00:00 UTC by ola@desk: "
        "what was changed since is undone. Is your inventory the newer one?"
    )


def test_files_that_go_back_are_named_and_no_more_than_a_few() -> None:
    names = {f"services/history/{one}.yaml": OLD.digest for one in "abcdef"}
    [_, back] = told(Changes(KARI, [OLA], names))
    assert back.undoes
    assert back.words.startswith(
        "services/history/a.yaml, services/history/b.yaml, services/history/c.yaml, services/history/d.yaml "
        "and 2 more would be as before that change"
    )


def test_nothing_is_said_of_a_host_that_is_as_it_should_be_or_new_to_us() -> None:
    assert told(Changes(KARI, [OLA]), NOW) == ()
    assert told(Changes()) == ()


def test_the_same_words_of_several_hosts_are_one_line() -> None:
    state = replace(seen_from(after(NOW), NOW, NEW), changes=Changes(KARI))
    plans = [replace(plan_host(HOST, NEW, state, {}), host=name) for name in ("db-1", "db-2")]
    [one] = since(plans, {"db-1": state, "db-2": state}, "mine", "ola@desk")
    assert one.line.startswith(f"db-1, db-2: {BY_KARI}")
