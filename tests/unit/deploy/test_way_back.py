"""Where each host goes to take a run back, or why it does not; on hosts that answer from a script."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tempo_infra.deploy import way_back as way_back_module
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.kept import described
from tempo_infra.deploy.since import BY_HAND
from tempo_infra.deploy.way_back import WayBack, way_back
from tempo_infra.errors import InputError, StepFailedError, UnreachableError
from tempo_infra.inventory import load
from tempo_infra.on_host.cluster_record import ClusterRecord
from tempo_infra.on_host.journal import Entry
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.runs import Runs
from tests.fakes import FakeHosts

CLUSTER = load(Path(__file__).parents[3] / "inventory/oslo-trio.yaml")
DB, FRONT, HISTORY = NAMES = sorted(host.name for host in CLUSTER.hosts)
A, B, C = ("0" + letter * 63 for letter in "abc")
FIRST, SECOND, THIRD = "aaaa0001", "aaaa0002", "aaaa0003"


def kept(run: str, generation: str) -> Entry:
    return Entry(run, "confirm", "confirmed", generation, time=f"2026-11-30T0{run[-1]}:00:00Z", who="kari@vm")


def record(run: str, **generations: tuple[str, str]) -> ClusterRecord:
    """`generations`: host -> the one it is on, the one before."""
    made = described(CLUSTER, run, {name.replace("_", "-"): one for name, one in generations.items()}, "")
    return replace(made, at=f"2026-11-30T0{run[-1]}:00:00Z")


RECORDS = [
    record(FIRST, db_1=(A, ""), front_1=(A, ""), history_1=(A, "")),
    record(SECOND, db_1=(B, A), front_1=(B, A), history_1=(A, A)),
]


def runs(*generations: str, records: list[ClusterRecord] = RECORDS, **more: Any) -> Runs:
    """A host that went to one after the other, in one run each; "" is a run that left it as it was."""
    entries = [kept(f"aaaa000{at}", one) for at, one in enumerate(generations, 1) if one]
    now = entries[-1].generation
    return replace(Runs(now, now, now, zero=True, entries=entries, records=records), **more)


def two_of_three(**others: Runs | None) -> dict[str, Runs | None]:
    """The second run changed the database's host and the front. None: it can't be asked."""
    found: dict[str, Runs | None] = {DB: runs(A, B), FRONT: runs(A, B), HISTORY: runs(A)}
    return found | {name.replace("_", "-"): one for name, one in others.items()}


def way(
    said: dict[str, Runs | None], run: str | None = None, to: str | None = None, only: tuple[str, ...] = ()
) -> WayBack:
    answers = {name: asdict(one) for name, one in said.items() if one is not None}
    lost = {(name, "runs") for name, one in said.items() if one is None}
    hosts = FakeHosts({}, answers={"runs": {}}, answers_of=answers, lost=lost)
    with Fleet(hosts.open, lambda _: None) as fleet:
        return way_back(fleet, CLUSTER, CLUSTER.only(list(only) or None), to, run)


def test_the_last_run_is_taken_back_on_the_hosts_that_it_changed_and_on_no_other() -> None:
    found = way(two_of_three())
    assert (found.run, found.to, found.errors) == (SECOND, {DB: A, FRONT: A}, {})
    assert found.stay == {HISTORY: f"was not changed by run {SECOND}"}
    assert (found.who, found.at, found.notes) == ("kari@vm", "2026-11-30T02:00:00Z", ())


def test_a_run_that_changed_one_host_takes_no_other_further_back() -> None:
    """The states of before that run, and no state that never was: B4 of two runs over two hosts."""
    said = two_of_three(db_1=runs(A, B, C))
    assert way(said).to == {DB: B}
    assert way(said, THIRD).to == {DB: B}


def test_a_run_in_the_middle_is_refused_and_what_to_take_back_first_is_said() -> None:
    found = way(two_of_three(db_1=runs(A, B, C)), SECOND)
    assert list(found.errors) == [DB]
    assert found.errors[DB].what == f"was changed again after run {SECOND}, by {THIRD}"
    first, then = (f"`tempo-infra rollback {run}`" for run in (THIRD, SECOND))
    assert found.errors[DB].remedy == f"take back what came later first: {first}, then {then}"


def test_a_run_that_was_taken_back_already_changes_nothing() -> None:
    """The same command again, as a script does whose link was lost."""
    said = two_of_three(db_1=runs(A, B, A), front_1=runs(A, B, A))
    found = way(said, SECOND)
    assert (found.to, found.errors) == ({}, {})
    assert found.stay[DB] == f"is as it was before run {SECOND} already: {A[:12]}"


def test_what_is_taken_back_can_be_taken_back() -> None:
    back = runs(A, B, entries=[*runs(A, B).entries, replace(kept(THIRD, A), detail=BY_HAND)], current=A)
    back = replace(back, records=[*RECORDS, record(THIRD, db_1=(A, B), front_1=(A, B), history_1=(A, A))])
    found = way(two_of_three(db_1=back, front_1=back, history_1=runs(A, records=back.records)))
    assert (found.run, found.to) == (THIRD, {DB: B, FRONT: B})
    assert found.notes == (f"run {THIRD} was a rollback itself: taking it back goes forward again",)


def test_before_the_first_run_there_was_no_database() -> None:
    found = way({name: runs(A) for name in NAMES})
    assert list(found.errors) == [DB]
    assert "was the first here: before it there was no database" in found.errors[DB].what
    assert found.errors[DB].remedy.endswith("tempo-infra rollback --to 0")


def grown(front: tuple[str, ...]) -> dict[str, Runs | None]:
    """The second run brought the history host; `front`: the roles of the front all along."""
    first = record(FIRST, db_1=(A, ""), front_1=(A, ""))
    second = record(SECOND, db_1=(B, A), front_1=(A, A), history_1=(B, ""))
    first, second = (
        replace(
            one,
            members=tuple(
                replace(m, roles=front) if m.name == FRONT else m for m in one.members if m.ssh != away
            ),
        )
        for one, away in ((first, second.members[1].ssh), (second, ""))
    )
    assert [one.name for one in first.members] == [FRONT, DB]
    return {
        DB: runs(A, B, records=[first, second]),
        FRONT: runs(A, records=[first, second]),
        HISTORY: runs("", B, records=[second]),
    }


def test_a_host_that_the_run_brought_goes_to_generation_0() -> None:
    found = way(grown(("history", "matching", "worker", "frontend", "ui")))
    assert (found.to, found.errors) == ({DB: A, HISTORY: ZERO}, {})
    assert [one.name for one in found.fit.members] == [FRONT, DB]


def test_a_run_that_brought_the_only_host_of_a_role_is_not_taken_back() -> None:
    found = way(grown(("matching", "worker", "frontend", "ui")))
    assert list(found.errors) == [CLUSTER.name]
    assert found.errors[CLUSTER.name].what == "no host would have history any more"


def test_a_journal_that_was_cut_begins_with_any_run_and_that_is_no_first_one() -> None:
    found = way(two_of_three(history_1=runs("", B)), SECOND)  # the record says that it was on A until then
    assert found.errors[HISTORY].what == f"nothing says what it was before run {SECOND}"


@pytest.mark.parametrize(
    ("run", "silent", "says"),
    [
        (None, HISTORY, "it is not known which run was the last (of the others it is aaaa0002)"),
        (SECOND, FRONT, "and run aaaa0002 changed it"),
        (SECOND, HISTORY, ""),
    ],
)
def test_a_host_that_cant_be_asked_counts_when_the_run_may_have_changed_it(
    run: str | None, silent: str, says: str
) -> None:
    found = way(two_of_three(**{silent.replace("-", "_"): None}), run)
    if says:
        assert says in found.errors[silent].what
        assert isinstance(found.errors[silent], UnreachableError)
    else:
        assert (found.to, found.errors) == ({DB: A, FRONT: A}, {})
        assert found.notes == (f"{HISTORY} can't be asked; run {SECOND} did not change it",)


def test_without_a_record_nobody_knows_whether_the_run_changed_a_silent_host() -> None:
    said = {DB: runs(A, B, records=[]), FRONT: runs(A, B, records=[]), HISTORY: None}
    assert f"no record says whether run {SECOND} changed it" in way(said, SECOND).errors[HISTORY].what


def test_with_hosts_named_the_others_that_the_run_changed_are_said() -> None:
    found = way(two_of_three(), only=(FRONT,))
    assert found.to == {FRONT: A}
    assert found.notes == (f"run {SECOND} changed {DB}, too, which would stay as it is",)


def test_a_generation_that_does_not_fit_is_refused_of_the_host_whose_it_is() -> None:
    moved = replace(RECORDS[1], members=tuple(
        replace(one, internal="10.0.0.99") if one.name == FRONT else one for one in RECORDS[1].members
    ))  # fmt: skip
    said = {name: one and replace(one, records=[RECORDS[0], moved]) for name, one in two_of_three().items()}
    found = way(said, only=(DB,))
    assert list(found.errors) == [DB]
    assert f"has {FRONT} at 10.0.0.11, which would be at 10.0.0.99" in found.errors[DB].what
    assert isinstance(found.errors[DB], StepFailedError)
    assert way(said, to="0a", only=(DB,)).errors.keys() == {DB}  # so is a named one
    assert way(said).errors == {}  # with the front it fits


@pytest.mark.parametrize("now", [None, C])
def test_a_host_that_no_run_left_so_goes_back_to_what_was_confirmed_and_no_other_moves(
    now: str | None,
) -> None:
    said = two_of_three(front_1=runs(A, B, current=now))
    found = way(said)
    assert (found.run, found.to) == ("", {FRONT: B})
    assert found.stay.keys() == {DB, HISTORY}
    assert FRONT in found.notes[0]
    named = way(said, SECOND)
    assert named.errors[FRONT].remedy == "tempo-infra rollback without a run puts that right first"


def test_a_run_that_one_host_alone_tells_of_is_not_taken_back_unseen() -> None:
    """Its clock, its journal and its records are its own: they push no other host's word aside."""
    lie = replace(kept("eeee0009", C), time="9999-12-31T23:59:59Z")
    front = runs(A, B, current=C, entries=[*runs(A, B).entries, lie])
    found = way(two_of_three(front_1=front))
    words = (
        f"hosts differ on which run was the last: {SECOND} by {DB}, {HISTORY}; eeee0009, {SECOND} by {FRONT}"
    )
    assert found.notes[0].startswith("hosts differ on which run was the last: ")
    assert found.unsure == f"{found.notes[0]}; name it: tempo-infra rollback {found.run}", words
    assert way(two_of_three(front_1=front), "eeee0009").unsure == ""
    assert way(two_of_three()).unsure == ""
    assert way({name: runs(A, B) for name in NAMES}, only=(FRONT,)).unsure == ""


def test_to_put_a_stray_right_is_not_what_is_meant_by_taking_back_the_last_run() -> None:
    said = two_of_three(front_1=runs(A, B, current=None))
    assert way(said).unsure.endswith(f"move {FRONT} alone; name what is meant: --host {FRONT}")
    assert way(said, only=(FRONT,)).unsure == ""
    assert way(said, only=(FRONT,)).to == {FRONT: B}


def test_what_a_failed_run_held_is_taken_back() -> None:
    held = Entry(SECOND, "hold", "held", B)
    said = runs(A, entries=[*runs(A).entries, held], current=B, records=RECORDS[:1])
    found = way({**two_of_three(), DB: said, FRONT: said})
    assert (found.run, found.to) == (SECOND, {DB: A, FRONT: A})


def test_a_host_that_has_not_decided_yet_goes_nowhere() -> None:
    found = way(two_of_three(front_1=runs(A, B, open_run=SECOND, decides_in_s=12.0)))
    assert list(found.errors) == [FRONT]
    assert f"run {SECOND} is not over here; it decides by itself in 12 s" in found.errors[FRONT].what


def test_a_run_that_nobody_knows_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no run ffff has changed any of these hosts"):
        way(two_of_three(), "ffff")


KEPT = [Entry("r1", "confirm", "confirmed", A), Entry("r2", "confirm", "confirmed", B)]


def alike(runs: Runs, to: str | None, hosts: int = 1, **others: Any) -> WayBack:
    """Hosts that all say the same of their runs, but for some."""
    said = FakeHosts({}, answers={"runs": asdict(runs)}, answers_of=others)
    with Fleet(said.open, lambda _: None) as fleet:
        return way_back(fleet, CLUSTER, CLUSTER.hosts[:hosts], to)


def test_a_host_of_another_cluster_goes_nowhere() -> None:
    runs = Runs(B, B, B, entries=KEPT, cluster="bergen")
    [error] = alike(runs, None).errors.values()
    assert "this host belongs to the cluster bergen, not to oslo" in error.what
    assert alike(replace(runs, cluster="oslo"), None).errors == {}


@pytest.mark.parametrize(
    ("current", "to", "wanted"),
    [
        (B, None, A),
        (B, "0a", A),
        (B, "0", ZERO),
        (None, None, B),
        (None, "0a", A),
    ],
)
def test_a_host_goes_to_the_named_generation_or_to_the_one_before(
    current: str | None, to: str | None, wanted: str
) -> None:
    found = alike(Runs(current, current, current, zero=True, entries=KEPT), to)
    assert list(found.to.values()) == [wanted]


@pytest.mark.parametrize(
    ("runs", "to", "says"),
    [
        (Runs(B, B, B, zero=True, entries=KEPT), "0b", f"is on {B[:12]} already"),
        (Runs(B, B, B, entries=KEPT), "0", "has no generation 0"),
        (Runs(None, None, None, zero=True, entries=KEPT), "0", "(generation 0) already"),
        (Runs(None, None, None), "0", "(generation 0) already"),
    ],
)
def test_a_host_that_stays_says_why(runs: Runs, to: str | None, says: str) -> None:
    found = alike(runs, to)
    assert found.to == {}
    assert [says in why for why in found.stay.values()] == [True]


@pytest.mark.parametrize("to", ["cc", ""])
def test_a_generation_that_no_host_knows_is_an_error(to: str) -> None:
    with pytest.raises(InputError, match="no host has a confirmed generation"):
        alike(Runs(B, B, B, zero=True, entries=KEPT), to)


def test_a_prefix_of_two_generations_is_an_error_of_the_host_that_has_them() -> None:
    two = Runs(C, C, C, zero=True, entries=[*KEPT, Entry("r1", "confirm", "confirmed", "0bff")])
    found = alike(Runs(C, C, C, zero=True, entries=KEPT), "0b", 3, **{"db-1": asdict(two)})
    assert {name: error.what for name, error in found.errors.items()} == {
        "db-1": f"--to 0b: 2 generations begin so: {B[:12]}, 0bff"
    }
    assert set(found.to.values()) == {B}


def test_a_journal_as_long_as_a_host_likes_is_read_in_a_time_that_grows_with_it() -> None:
    def took(count: int) -> float:
        entries = [Entry("r1", "confirm", "confirmed", f"{number:064x}") for number in range(count)]
        runs, started = Runs(B, B, B, entries=entries), time.process_time()
        way_back_module._target(runs, "0a")
        return time.process_time() - started

    few = min(took(1000) for _ in range(3))
    assert min(took(16_000) for _ in range(3)) < 100 * few


@pytest.mark.parametrize("name", ["x;id>pwned", "$(id)", "a b", "`id`", "a" * 65])
def test_an_answer_with_a_run_that_can_be_none_is_none(name: str) -> None:
    """Runs are named in commands to paste: what to take back first, what to wait for."""
    adapter, fit = TypeAdapter(Runs), asdict(runs(A, B))
    assert adapter.validate_python(fit) == runs(A, B)
    for answer in ({**fit, "open_run": name}, {**fit, "entries": [{**fit["entries"][0], "run": name}]}):
        with pytest.raises(ValidationError):
            adapter.validate_python(answer)


def lied(**generations: tuple[str, str]) -> list[ClusterRecord]:
    """The records of a host that tells something else of the second run."""
    return [RECORDS[0], record(SECOND, **generations)]


@pytest.mark.parametrize("liar", [DB, FRONT])
def test_one_host_says_not_for_all_that_a_run_spared_a_host_that_can_not_be_asked(liar: str) -> None:
    said = two_of_three(history_1=None)
    records = [RECORDS[0], record(SECOND, db_1=(B, A), front_1=(B, A), history_1=(B, A))]
    for name in (DB, FRONT):
        said[name] = runs(A, B, records=records)
    said[liar] = runs(A, B, records=lied(db_1=(B, A), front_1=(B, A), history_1=(A, A)))
    found = way(said, SECOND)
    assert list(found.errors) == [HISTORY]
    assert f"and run {SECOND} changed it" in found.errors[HISTORY].what


@pytest.mark.parametrize("liar", [DB, FRONT])
def test_one_host_says_not_for_all_that_another_one_began_with_a_run(liar: str) -> None:
    """Its journal was cut: it would go to generation 0, where nothing of ours runs."""
    said = two_of_three(history_1=runs("", B))
    said[liar] = runs(A, B, records=lied(db_1=(B, A), front_1=(B, A), history_1=(B, "")))
    found = way(said, SECOND)
    assert found.errors[HISTORY].what == f"nothing says what it was before run {SECOND}"
