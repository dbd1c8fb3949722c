"""Which generations fit the others: who would be shut out is refused, what does no harm is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.deploy.believed import Believed, believed
from tempo_infra.deploy.fitting import Fit, fit
from tempo_infra.on_host.cluster_record import ClusterRecord, Member
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.runs import Runs

OLD, NEW, NEWER = ("0" + letter * 63 for letter in "abc")
DB = Member("db", "10.0.0.1", ("postgresql", "history"), OLD, "", "x@db:22")
FRONT = Member("front", "10.0.0.2", ("frontend", "matching"), OLD, "", "x@front:22")
UI = Member("ui", "10.0.0.3", ("ui",), OLD, "", "x@ui:22")
THIRD = Member("third", "10.0.0.4", ("history",), OLD, "", "x@third:22")
ALIKE = (("history shards", "512"), ("PostgreSQL", "17"))


def record(run: str, hour: int, *members: Member, inventory: str = "") -> ClusterRecord:
    at = f"2025-11-30T{hour:02}:00:00Z"
    return ClusterRecord(run, "x@y", at, "oslo", inventory, members, ALIKE)


def on(generation: str, *members: Member) -> list[Member]:
    return [replace(one, generation=generation) for one in members]


def after(*records: ClusterRecord, to: dict[str, str], **others: ClusterRecord) -> Fit:
    """All hosts have all records; `others`: a host that has another one beside, as its newest."""
    runs = Runs(NEW, NEW, NEW, records=list(records))
    answers = {one.name: runs for one in records[-1].members}
    answers |= {name: replace(runs, records=[*records, one]) for name, one in others.items()}
    return fit(answers, to, believed({name: one.record for name, one in answers.items()}, ("oslo",)))


def refused(found: Fit) -> list[str]:
    return [f"{host}: {why}" for host, why in found.refused]


FIRST = record("r1", 1, DB, FRONT, UI)


def test_what_was_there_together_fits() -> None:
    now = record("r2", 2, *on(NEW, DB, FRONT), UI)
    found = after(FIRST, now, to={"db": OLD, "front": OLD})
    assert (refused(found), found.notes) == ([], ())
    assert found.now == now
    assert [one.name for one in found.members] == ["db", "front", "ui"]


AWAY = "10.0.0.9"


@pytest.mark.parametrize(
    ("moved", "to", "says"),
    [
        # The database's host knows the front only where it was; so does the front of the database.
        ("front", ["db"], [f"db: generation {OLD[:12]} has front at 10.0.0.2, which would be at {AWAY}"]),
        ("db", ["front"], [f"front: generation {OLD[:12]} has db at 10.0.0.1, which would be at {AWAY}"]),
        ("front", ["front"], [f"front: would be at 10.0.0.2, where db would look for it at {AWAY}"]),
        ("front", ["db", "front"], []),
        ("front", ["ui"], []),  # they do not meet at the database: it is only said
        ("ui", ["db"], []),
    ],
)
def test_an_address_of_before_is_refused_where_it_locks_somebody_out(
    moved: str, to: list[str], says: list[str]
) -> None:
    members = [replace(one, internal=AWAY) if one.name == moved else one for one in on(NEW, DB, FRONT, UI)]
    found = after(FIRST, record("r2", 2, *members), to=dict.fromkeys(to, OLD))
    assert refused(found) == says
    if not says and moved not in to:
        assert f"which would be at {AWAY}" in found.notes[0]


def test_a_host_that_stays_and_has_nothing_to_do_with_an_address_is_in_nobodys_way() -> None:
    """A run that gave the front another address changed the database's host too, and not this one."""
    members = [*on(NEW, DB), replace(FRONT, internal=AWAY, generation=NEW), THIRD]
    found = after(record("r1", 1, DB, FRONT, THIRD), record("r2", 2, *members), to={"db": OLD, "front": OLD})
    assert refused(found) == []
    assert [one.internal for one in found.members if one.name == "front"] == ["10.0.0.2"]


def test_a_member_that_came_later_is_shut_out_by_the_database_of_before_and_by_no_other() -> None:
    now = record("r2", 2, *on(NEW, DB, FRONT), UI, THIRD)
    assert refused(after(FIRST, now, to={"db": OLD})) == [
        f"db: generation {OLD[:12]} was made before third (10.0.0.4) was a member, and would shut it out"
    ]
    harmless = after(FIRST, now, to={"front": OLD})
    assert refused(harmless) == []
    assert harmless.notes == (f"front: generation {OLD[:12]} was made before third (10.0.0.4) was a member",)


def test_a_run_that_brought_a_host_is_taken_back_when_that_goes_too() -> None:
    now = record("r2", 2, *on(NEW, DB), FRONT, UI, *on(NEW, THIRD))
    found = after(FIRST, now, to={"db": OLD, "third": ZERO})
    assert refused(found) == []
    assert [one.name for one in found.members] == ["db", "front", "ui"]


def test_the_last_host_with_a_role_does_not_go() -> None:
    now = record("r2", 2, *on(NEW, DB), FRONT, UI)
    assert refused(after(FIRST, now, to={"front": ZERO})) == [
        ": no host would have frontend, matching any more"
    ]


def test_a_member_that_has_left_is_said() -> None:
    before = record("r1", 1, DB, FRONT, THIRD)
    found = after(before, record("r2", 2, *on(NEW, DB), FRONT), to={"db": OLD})
    assert refused(found) == []
    assert found.notes == (f"db: generation {OLD[:12]} knows third (10.0.0.4), which would be no member",)


@pytest.mark.parametrize(
    ("roles", "harms"), [(("history", "frontend"), False), (("history", "ui"), False), (("ui",), True)]
)
def test_other_roles_are_refused_where_they_had_no_way_to_the_database(
    roles: tuple[str, ...], *, harms: bool
) -> None:
    before = record("r1", 1, DB, replace(FRONT, roles=roles))
    found = after(before, record("r2", 2, *on(NEW, DB, FRONT)), to={"db": OLD})
    assert bool(found.refused) is harms
    [said] = refused(found) if harms else found.notes
    assert f"was made when front had {', '.join(roles)}" in said


def test_what_all_must_have_in_common_is_compared() -> None:
    before = replace(FIRST, alike=(("history shards", "128"),))
    found = after(before, record("r2", 2, *on(NEW, DB), FRONT, UI), to={"db": OLD})
    assert refused(found) == [
        f"db: generation {OLD[:12]} is of a cluster with 128 history shards, which has 512 now"
    ]


def test_what_no_record_tells_of_is_said() -> None:
    found = after(FIRST, to={"db": NEWER})
    assert (refused(found), len(found.members)) == ([], 3)
    assert "no record says for which cluster db's" in found.notes[0]
    unknown = fit({"db": Runs(NEW, NEW, NEW)}, {"db": OLD}, Believed())
    assert (unknown.members, unknown.now, unknown.refused) == ((), None, ())
    assert "can't be compared" in unknown.notes[0]


def test_the_last_time_that_a_host_was_on_it_counts() -> None:
    """It was kept by a run that knew the third host already."""
    later = record("r2", 2, DB, FRONT, THIRD)
    now = record("r3", 3, *on(NEW, DB), FRONT, THIRD)
    assert refused(after(record("r1", 1, DB, FRONT), later, now, to={"db": OLD})) == []


@pytest.mark.parametrize(("second", "inventory"), [("a" * 64, "a" * 64), ("b" * 64, "")])
def test_the_inventory_is_known_when_all_came_of_one(second: str, inventory: str) -> None:
    first = record("r1", 1, DB, replace(FRONT, generation=""), inventory="a" * 64)
    then = record("r2", 2, replace(DB, generation=NEW), FRONT, inventory=second)
    now = record("r3", 3, *on(NEWER, DB, FRONT), inventory="c" * 64)
    assert after(first, then, now, to={"db": OLD, "front": OLD}).inventory == inventory


LIE = record("r3", 3, DB, FRONT, UI)
SHUTS_OUT = f"db: generation {OLD[:12]} was made before third (10.0.0.4) was a member, and would shut it out"


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (
            replace(LIE, at="9999-12-31T00:00:00Z"),
            "ui's record of the cluster is not believed: it is of 9999-12-31T",
        ),
        (
            replace(LIE, cluster="bergen"),
            "ui's record of the cluster is not believed: it is of the cluster 'bergen'",
        ),
    ],
)
def test_a_record_that_can_not_be_takes_no_refusal_away(lie: ClusterRecord, said: str) -> None:
    now = record("r2", 2, *on(NEW, DB, FRONT), UI, THIRD)
    found = after(FIRST, now, to={"db": OLD}, ui=lie)
    assert (refused(found), found.now) == ([SHUTS_OUT], now)
    assert found.notes[0].startswith(said)


def test_a_refusal_stands_when_any_record_refuses_and_it_is_said_which() -> None:
    now = record("r2", 2, *on(NEW, DB, FRONT), UI, THIRD)
    found = after(FIRST, now, to={"db": OLD}, ui=LIE)
    [words] = refused(found)
    assert words.startswith(f"{SHUTS_OUT} (as run r2 left the cluster; `tempo-infra provision` on all hosts")


def test_who_may_come_back_is_who_any_record_names() -> None:
    now = replace(record("r2", 2, *on(NEW, DB, FRONT), UI), gone=(THIRD,))
    assert after(FIRST, now, to={"db": OLD}, ui=LIE).gone == (THIRD,)
