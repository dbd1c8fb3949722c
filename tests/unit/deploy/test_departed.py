"""Who is in the cluster and not in the file, by what hosts say; and how such a host is taken out."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.deploy.believed import believed
from tempo_infra.deploy.departed import Departed, departed
from tempo_infra.deploy.departing import MOST_ASKED, Departing, refuse_present
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.kept import described
from tempo_infra.deploy.options import USUAL, Options
from tempo_infra.deploy.plan_file import moved
from tempo_infra.deploy.rollout import Rollout
from tempo_infra.deploy.run import Plan
from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Cluster, Host
from tempo_infra.on_host.cluster_record import MOST_GONE, ClusterRecord, Member
from tempo_infra.on_host.live import Heard, Live
from tempo_infra.on_host.state import HostState
from tempo_infra.on_host.steps import change
from tempo_infra.render.bundle import Bundle
from tempo_infra.report.changes import plan_json
from tempo_infra.ssh import resolve
from tests.fakes import FakeHosts
from tests.unit.deploy import test_rollout
from tests.unit.deploy.test_rollout import SECRETS, pushed

GONE = "10.0.0.44"
trio = cache(test_rollout.trio)
OLD = Member("history-2", GONE, ("history",), "", "", "deploy@203.0.113.44:22")
RING = ["frontend 10.0.0.11:7233", "history 10.0.0.12:7234"]


def states(
    ring: tuple[str, ...] = (), rows: tuple[Heard, ...] = (), admitted: tuple[str, ...] = ()
) -> tuple[Cluster, tuple[Bundle, ...], dict[str, HostState]]:
    cluster, bundles = trio()
    found = pushed(cluster, bundles)
    found["front-1"] = replace(found["front-1"], ring=[*RING, *ring])
    own = ["10.0.0.11", "10.0.0.12"]
    live = Live(databases=["postgres", "temporal"], members=list(rows), admitted=[*own, *admitted])
    found["db-1"] = replace(found["db-1"], live=live)
    return cluster, bundles, found


def remembered(
    seen: dict[str, HostState],
    *members: Member,
    gone: tuple[Member, ...] = (),
    drop: bool = False,
    on: str = "history-1",
    at: str | int = 100,
    called: str = "oslo",
) -> None:
    """Let a host have a record of the cluster with these members beside the file's; `drop`: without these."""
    cluster, _ = trio()
    own = [
        Member(one.name, one.internal, tuple(map(str, one.roles)), "", "", "x@y:22") for one in cluster.hosts
    ]
    own = [] if drop else [one for one in own if one.internal not in {other.internal for other in members}]
    record = ClusterRecord(
        "r0", "kari@vm", in_s(at) if isinstance(at, int) else at, called, "", (*own, *members), gone=gone
    )
    seen[on] = replace(seen[on], record=record)


def known_to_all(seen: dict[str, HostState], *members: Member, gone: tuple[Member, ...] = ()) -> None:
    """Let all hosts have that record."""
    for name in seen:
        remembered(seen, *members, gone=gone, on=name)


def in_s(seconds: int) -> str:
    """A time by the clock here; records of hosts that a test says nothing of are of now."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def in_cluster(cluster: Cluster, seen: dict[str, HostState]) -> tuple[Departed, ...]:
    return departed(cluster, seen, believed({name: one.record for name, one in seen.items()}, ("oslo",)))


@pytest.mark.parametrize(
    ("ring", "rows", "admitted", "known", "found"),
    [
        ((), (), (), (), []),
        ((f"history {GONE}:7234",), (), (), (), [(GONE, ("history",), None)]),
        ((), (Heard("history", GONE, 7200),), (GONE,), (), [(GONE, (), 7200)]),
        (
            (),
            (Heard("history", GONE, 3),),
            (),
            (),
            [],
        ),  # a row alone is what anybody with the password writes
        ((), (), (GONE,), (), []),  # a bastion, a monitor: let in, and no member
        ((), (), (), (OLD,), [("history-2", (), None)]),
        ((f"history {GONE}:7234",), (), (), (OLD,), [("history-2", ("history",), None)]),
        (("history [fd00::44]:7234",), (), (), (), [("fd00::44", ("history",), None)]),
        (("history x:7234", "", "history"), (), (), (), []),  # nonsense of a host is passed over
        (("history fe80::1%$(id>x):7234", "history [fe80::1%eth0]:7234"), (), (), (), []),
    ],
    ids=[
        *("nobody", "ring", "row-let-in", "row", "let-in", "record", "ring-and-record", "ipv6", "nonsense"),
        "zone",
    ],
)
def test_who_is_in_the_cluster_and_not_in_the_file(
    ring: tuple[str, ...],
    rows: tuple[Heard, ...],
    admitted: tuple[str, ...],
    known: tuple[Member, ...],
    found: list[tuple[str, tuple[str, ...], int | None]],
) -> None:
    cluster, _, seen = states(ring, rows, admitted)
    remembered(seen, *known)
    assert [(one.name, one.rings, one.heard_s) for one in in_cluster(cluster, seen)] == found


@pytest.mark.parametrize(
    ("known", "there"),
    [
        (replace(OLD, internal="10.0.0.12"), False),  # it has another name now
        (replace(OLD, ssh="root@203.0.113.12:22"), False),  # its internal address moves, or its user
        (replace(OLD, ssh="deploy@203.0.113.12:2222"), True),  # another machine behind the same address
    ],
    ids=["renamed", "moved", "port"],
)
def test_a_host_of_the_file_that_is_called_otherwise_or_moves_has_not_left(
    known: Member, there: bool
) -> None:
    cluster, _, seen = states()
    remembered(seen, known)
    assert bool(in_cluster(cluster, seen)) is there


def test_an_address_that_is_up_on_a_host_of_the_file_is_nobody_elses() -> None:
    cluster, _, seen = states((f"history {GONE}:7234",))
    seen["history-1"] = replace(seen["history-1"], addresses=["10.0.0.12", GONE])
    assert in_cluster(cluster, seen) == ()


def test_who_had_the_name_of_another_host_goes_by_its_address() -> None:
    cluster, _, seen = states()
    remembered(seen, replace(OLD, name="front-1"), drop=True)
    [found] = in_cluster(cluster, seen)
    assert (found.name, found.ssh) == (GONE, OLD.ssh)


@pytest.mark.parametrize(
    ("seconds", "said"), [(5, "5 s ago"), (119, "119 s ago"), (120, "2 min ago"), (9000, "2 h ago")]
)
def test_a_time_that_has_passed_is_said_as_people_say_it(seconds: int, said: str) -> None:
    state = Departed("extra-4", "10.0.0.44", heard_s=seconds).state
    assert state.rpartition("last heard of ")[2] == said


@pytest.mark.parametrize(
    ("one", "speaks"),
    [
        (Departed("a", GONE), False),
        (Departed("a", GONE, rings=("history",)), True),
        (Departed("a", GONE, heard_s=29), True),
        (Departed("a", GONE, heard_s=30), False),
        (Departed("a", GONE, runs=()), False),
        (Departed("a", GONE, runs=("ui",)), True),
    ],
)
def test_who_takes_part(one: Departed, speaks: bool) -> None:
    assert one.speaks is speaks


def begun(seen: dict[str, HostState], options: Options, **more: object) -> tuple[Rollout, FakeHosts, Fleet]:
    cluster, bundles = trio()
    hosts = FakeHosts(seen, **more)  # type: ignore[arg-type]  # more is
    fleet = Fleet(hosts.open, lambda _: None)
    return Rollout(cluster, bundles, SECRETS, fleet, options), hosts, fleet


def test_who_left_the_file_ends_the_run_until_the_operator_names_it() -> None:
    cluster, _, seen = states((f"history {GONE}:7234",))
    rollout, hosts, fleet = begun(seen, Options())
    with fleet:
        plan = rollout.plan(cluster.hosts, lock=True)
    [(name, words)] = plan.problems
    assert name == GONE
    assert "in the ring of history" in words
    assert f"`tempo-infra provision -i {cluster.path} --gone {GONE}`" in words
    assert not plan.is_noop
    assert {step for _, step in hosts.asked} == {"lock"}
    rollout, _, fleet = begun(seen, Options(gone=(GONE,)))
    with fleet:
        assert rollout.plan(cluster.hosts).problems == []


def test_a_host_sends_us_to_a_few_others_at_most_and_to_all_that_the_operator_names() -> None:
    cluster, _, seen = states()
    many = [replace(OLD, name=f"h{i}", internal=f"10.9.0.{i}") for i in range(100, 250)]
    known_to_all(seen, *many)
    for options, wanted in (
        (Options(), [one.name for one in many[:MOST_ASKED]]),
        (Options(gone=("10.9.0.240",)), ["h240", *(one.name for one in many[: MOST_ASKED - 1])]),
        (Options(gone=tuple(one.name for one in many)), [one.name for one in many]),
    ):
        rollout, hosts, fleet = begun(seen, options, answers=answering("history"))
        with fleet:
            plan = rollout.plan(cluster.hosts)
        assert sorted(name for name, step in hosts.asked if step == "departed") == sorted(wanted)
        assert len(plan.departed) == len(many)


def test_nobody_looks_for_a_host_where_one_record_alone_says_that_it_is_unless_it_is_asked_for() -> None:
    """It can be made up; it ends the run all the same, for it can be true."""
    _, _, seen = states()
    remembered(seen, OLD)
    plan, hosts = planned(seen, answers=answering("history"))
    assert hosts.steps_of("history-2") == []
    [(name, words)] = plan.problems
    assert name == "history-2"
    assert "where it is reached history-1 alone says: asked there by `--gone` only" in words
    for asked in ("history-2", GONE):
        plan, hosts = planned(seen, Options(gone=(asked,)), answers=answering("history"))
        assert hosts.steps_of("history-2") == ["lock", "departed"]
        assert (plan.problems, [one.runs for one in plan.departed]) == ([], [("history",)])


@pytest.mark.parametrize("others", [("front-1",), ("db-1", "front-1")])
def test_where_no_other_host_could_say_it_one_record_is_enough(others: tuple[str, ...]) -> None:
    """The other hosts of the cluster are new, or there are none."""
    _, _, seen = states()
    remembered(seen, OLD)
    for name in {"db-1", "front-1"} - set(others):
        remembered(seen, OLD, on=name)
    for name in others:
        seen[name] = replace(seen[name], record=None)
    plan, hosts = planned(seen, answers=answering("history"))
    assert [one.runs for one in plan.departed] == [("history",)]
    assert hosts.steps_of("history-2") == ["lock", "departed"]


def test_a_host_says_for_no_other_one_where_it_is_reached() -> None:
    _, _, seen = states()
    known_to_all(seen, OLD)
    remembered(seen, replace(OLD, ssh="root@192.0.2.1:22"), on="front-1", at=LATER)
    plan, _ = planned(seen, answers=answering("history"))
    assert [one.ssh for one in plan.departed] == [OLD.ssh]


def test_an_own_hosts_word_on_whom_the_database_lets_in_is_the_databases_alone() -> None:
    """Else it hides a member while the database is silent, or makes one up by its row."""
    cluster, _, seen = states()
    seen["db-1"] = replace(seen["db-1"], live=Live())
    remembered(seen, OLD)
    remembered(seen, on="front-1", at=LATER)
    made_up = Heard("history", "10.9.9.9", 3)
    seen["front-1"] = replace(seen["front-1"], live=Live(members=[made_up], admitted=["10.9.9.9"]))
    assert [one.name for one in in_cluster(cluster, seen)] == ["history-2"]


def test_who_was_taken_out_by_a_run_over_some_hosts_is_not_asked_for_by_the_others_record() -> None:
    """As a UI, which needs no place in the database: later records of two hosts have it no more."""
    cluster, _, seen = states()
    remembered(seen, replace(OLD, roles=("ui",)))
    for name in ("db-1", "front-1"):
        remembered(seen, on=name, at=LATER)
    assert in_cluster(cluster, seen) == ()
    live = seen["db-1"].live
    seen["db-1"] = replace(seen["db-1"], live=replace(live, admitted=[*live.admitted, GONE]))
    assert [one.name for one in in_cluster(cluster, seen)] == ["history-2"]  # it is let in, whoever says what


def test_a_place_that_the_operators_own_ssh_reaches_by_a_program_ends_no_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Host i-*\n  ProxyCommand aws ssm %h\n")
    cluster, bundles, seen = states()
    known_to_all(seen, replace(OLD, ssh="root@i-0abc:22"))
    hosts = FakeHosts(seen)

    def reach(host: Host) -> AbstractContextManager[Any]:
        resolve(host.name, host.ssh)
        return hosts.open(host)

    with Fleet(reach, lambda _: None) as fleet:
        plan = Rollout(cluster, bundles, SECRETS, fleet).plan(cluster.hosts)
    assert [one.host for one in plan.hosts] == ["front-1", "history-1", "db-1"]
    [left] = plan.departed
    assert "ProxyCommand" in left.state
    assert hosts.steps_of("history-2") == []


def test_a_host_that_holds_the_database_is_not_taken_out() -> None:
    cluster, _, seen = states()
    with Fleet(FakeHosts(seen).open, lambda _: None) as fleet:
        departing = Departing(cluster, fleet, "r1", Options(gone=("history-2",)))
        remembered(seen, replace(OLD, roles=("postgresql",), ssh=""))
        departing.find(seen, lock=False)
        [(name, words)] = departing.refused
        assert (name, departing.unasked) == ("history-2", [])
        assert "holds the database" in words
        departing.options = Options(gone=("history-2",), new_database=True)
        assert departing.refused == []  # it is dead, and its data is given up


def test_who_is_in_the_file_is_not_gone_and_the_database_host_has_to_be_there() -> None:
    cluster, _, _ = states()
    for name in ("history-1", "10.0.0.12"):
        with pytest.raises(InputError, match=f"--gone {name}: history-1 is in"):
            refuse_present(cluster, cluster.hosts, [name])
    with pytest.raises(InputError, match="db-1 has to shut it out"):
        refuse_present(cluster, cluster.only(["front-1"]), ["history-2"])
    refuse_present(cluster, cluster.hosts, ["history-2"])


def test_a_silent_host_is_waited_for_before_anything_is_changed() -> None:
    cluster, _, seen = states(rows=(Heard("history", GONE, 12),), admitted=(GONE,))
    seen["front-1"] = replace(seen["front-1"], containers=[])  # something to do
    rollout, hosts, fleet = begun(seen, Options(gone=(GONE,)))
    with fleet:
        outcome = rollout.apply(rollout.plan(cluster.hosts), lambda _: None)
    assert outcome.ok
    order = [one for one in hosts.asked if one[1] != "lock"]
    assert set(order[:2]) == {("db-1", "silent"), ("front-1", "out-of-ring")}
    assert order.index(("db-1", "end-sessions")) < order.index(("db-1", "membership"))
    told = {name: step.arguments for name, step in hosts.given if step.name in ("silent", "end-sessions")}
    assert told == {"db-1": {"addresses": [GONE]}}
    assert ("db-1", "remove") not in order


def test_who_speaks_although_nobody_reaches_it_ends_the_run_before_anything_is_changed() -> None:
    cluster, _, seen = states((f"history {GONE}:7234",))
    seen["front-1"] = replace(seen["front-1"], containers=[])
    rollout, hosts, fleet = begun(seen, Options(gone=(GONE,)), fails={("front-1", "out-of-ring")})
    with fleet:
        outcome = rollout.apply(rollout.plan(cluster.hosts), lambda _: None)
    assert list(outcome.errors) == ["front-1"]
    assert not {step for _, step in hosts.asked} & {"arm", "stage", "switch", "drain"}


def said(plan: Plan) -> list[str]:
    """What a plan says beside problems, without what it says of the folder of examples."""
    return [one for one in plan.risks if "secrets.age" not in one]


def answering(*services: str, cluster: str = "oslo", address: str = GONE) -> dict[str, dict[str, Any]]:
    return {"departed": {"cluster": cluster, "addresses": [address], "services": list(services)}}


def test_a_host_that_the_record_knows_stops_in_order_before_its_access_ends() -> None:
    cluster, _, seen = states((f"history {GONE}:7234",), admitted=(GONE,))
    remembered(seen, OLD)
    seen["front-1"] = replace(seen["front-1"], containers=[])
    services = ("frontend", "history", "matching", "ui", "worker")
    rollout, hosts, fleet = begun(seen, Options(gone=("history-2",)), answers=answering(*services))
    with fleet:
        plan = rollout.plan(cluster.hosts, lock=True)
        assert [one.runs for one in plan.departed] == [services]
        outcome = rollout.apply(plan, lambda _: None)
    assert outcome.ok
    order = hosts.asked
    [drain] = [step for name, step in hosts.given if step.name == "drain"]
    assert drain.arguments["services"] == ["ui", "worker", "matching", "history", "frontend"]
    assert hosts.steps_of("history-2") == ["lock", "departed", "note", "drain", "remove"]
    assert order.index(("history-2", "drain")) < order.index(("db-1", "silent"))
    assert order.index(("db-1", "silent")) < order.index(("db-1", "end-sessions"))
    assert order.index(("front-1", "out-of-ring")) < order.index(("front-1", "arm"))
    assert order.index(("front-1", "confirm")) < order.index(("history-2", "remove"))


def test_what_was_stopped_runs_again_after_a_failure() -> None:
    cluster, _, seen = states((f"history {GONE}:7234",))
    remembered(seen, OLD)
    seen["front-1"] = replace(seen["front-1"], containers=[])
    rollout, hosts, fleet = begun(
        seen, Options(gone=(GONE,)), answers=answering("history"), fails={("front-1", "serving")}
    )
    with fleet:
        outcome = rollout.apply(rollout.plan(cluster.hosts, lock=True), lambda _: None)
    assert not outcome.ok
    assert hosts.steps_of("history-2") == ["lock", "departed", "note", "drain", "up"]
    assert outcome.now["history-2"] == "its services run again"


@pytest.mark.parametrize(
    ("answer", "departed_are"),
    [
        (answering("history", address="10.0.0.12"), []),  # a host of the file, by another way
        (answering("history", cluster="bergen"), [None]),  # another cluster's by now: nothing is done there
        (answering(cluster=""), [()]),  # wiped
    ],
    ids=["same-machine", "anothers", "wiped"],
)
def test_what_answers_there_may_be_something_else_by_now(
    answer: dict[str, dict[str, Any]], departed_are: list[tuple[str, ...] | None]
) -> None:
    cluster, _, seen = states()
    remembered(seen, OLD)
    rollout, hosts, fleet = begun(seen, Options(gone=("history-2",)), answers=answer)
    with fleet:
        plan = rollout.plan(cluster.hosts, lock=True)
        assert [one.runs for one in plan.departed] == departed_are
        rollout.apply(plan, lambda _: None)
    assert "drain" not in hosts.steps_of("history-2")
    assert ("remove" in hosts.steps_of("history-2")) is (departed_are == [()])


def test_who_was_shut_out_and_knocks_is_said_and_keeps_nobody_from_working() -> None:
    cluster, _, seen = states()
    known_to_all(seen, gone=(OLD,))
    rollout, hosts, fleet = begun(seen, Options(), answers=answering("history"))
    with fleet:
        assert said(rollout.plan(cluster.hosts, lock=True)) == []
    assert hosts.steps_of("history-2") == []  # it is silent: nobody asks
    seen["db-1"] = replace(seen["db-1"], live=replace(seen["db-1"].live, refused=[GONE]))
    rollout, hosts, fleet = begun(seen, Options(), answers=answering("history"))
    with fleet:
        plan = rollout.plan(cluster.hosts, lock=True)
    assert (plan.problems, plan.departed) == ([], ())
    [words] = said(plan)
    assert words.startswith(
        f"history-2 was taken out of the cluster, and is back ({GONE}; history; history run"
    )
    assert "--gone history-2" in words
    assert hosts.steps_of("history-2") == ["departed"]  # no lock
    rollout, hosts, fleet = begun(seen, Options(gone=("history-2",)), answers=answering("history"))
    with fleet:
        rollout.apply(rollout.plan(cluster.hosts, lock=True), lambda _: None)
    assert hosts.steps_of("history-2")[-2:] == ["drain", "remove"]


@pytest.mark.parametrize(("there", "left"), [(True, []), (False, ["history-2", "old-1"])])
def test_who_was_not_reached_is_remembered_until_it_was_stopped(there: bool, left: list[str]) -> None:
    old = replace(OLD, name="old-1", internal="10.0.0.45")
    cluster, _, seen = states()
    remembered(seen, OLD, gone=(old,))
    asked = ("history-2", "old-1")
    lost = set() if there else {(name, "departed") for name in asked}
    answers = answering("history")
    answers["departed"]["addresses"].append(old.internal)
    with Fleet(FakeHosts(seen, answers=answers, lost=lost).open, lambda _: None) as fleet:
        departing = Departing(cluster, fleet, "r1", Options(gone=asked))
        departing.find(seen, lock=False)
        assert sorted(one.name for one in departing.remembered()) == left


@pytest.mark.parametrize(
    "ssh",
    [
        *("", "a@b:c:d", "a@b:0", "a@b[", "@10.0.0.9:22", "10.0.0.9:22"),
        *(
            "x;id@10.0.0.9:22",
            "a@$(id>x):22",
            "-oProxyCommand=x@b:22",
            "a@-oProxyCommand=x:22",
            "a@[fe80::1%$(id)]:22",
        ),
    ],
)
def test_who_is_reached_by_no_way_that_an_inventory_has_is_not_asked(ssh: str) -> None:
    cluster, _, seen = states()
    remembered(seen, replace(OLD, ssh=ssh))
    rollout, hosts, fleet = begun(seen, Options(gone=("history-2",)), answers=answering("history"))
    with fleet:
        plan = rollout.plan(cluster.hosts, lock=True)
    assert [(one.name, one.ssh, one.runs) for one in plan.departed] == [("history-2", "", None)]
    assert hosts.steps_of("history-2") == []


def test_of_very_many_that_may_come_back_this_runs_own_are_remembered() -> None:
    """What a host remembers is written on all others: too much of it was refused there, in every run."""
    cluster, _, seen = states()
    gone = tuple(replace(OLD, name=f"old-{n}", internal=f"10.0.9.{n}") for n in range(MOST_GONE))
    remembered(seen, OLD, gone=gone)
    with Fleet(FakeHosts(seen, lost={("history-2", "departed")}).open, lambda _: None) as fleet:
        departing = Departing(cluster, fleet, "r1", Options(gone=("history-2",)))
        departing.find(seen, lock=False)
        found = departing.remembered()
    assert (len(found), found[0].name) == (MOST_GONE, "history-2")


def test_what_stands_still_until_another_host_serves_is_said() -> None:
    cluster, _, seen = states()
    remembered(seen, OLD)
    seen["history-1"] = replace(seen["history-1"], containers=[])
    rollout, _, fleet = begun(seen, Options(gone=("history-2",)), answers=answering("history"))
    with fleet:
        [words] = said(rollout.plan(cluster.hosts, lock=True))
    assert words == "history-2 leaves: history: the only one: workflows wait until history-1 serves"


def test_a_plan_file_is_bound_to_who_left() -> None:
    cluster, _, seen = states()
    rollout, _, fleet = begun(seen, Options())
    with fleet:
        before = plan_json(rollout.plan(cluster.hosts))
    kept = {one["host"]: one for one in before["hosts"]}
    remembered(seen, OLD)
    rollout, _, fleet = begun(seen, Options(gone=("history-2",)), answers=answering("history"))
    with fleet:
        [(host, why)] = moved(kept, rollout.plan(cluster.hosts))
    assert (host, why) == ("db-1", "the host moved since the plan was made: departed")


def test_a_name_that_nobody_knows_is_said() -> None:
    cluster, _, seen = states()
    rollout, _, fleet = begun(seen, Options(gone=("nobody",)))
    with fleet:
        plan = rollout.plan(cluster.hosts)
    assert (said(plan), plan.problems) == (["--gone nobody: nobody knows it"], [])


LATER, FAR = 300, "9999-99-99T99:99:99Z"


def planned(seen: dict[str, HostState], options: Options = USUAL, **more: object) -> tuple[Plan, FakeHosts]:
    cluster, _ = trio()
    rollout, hosts, fleet = begun(seen, options, **more)
    with fleet:
        return rollout.plan(cluster.hosts, lock=True), hosts


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ({"at": FAR}, f"it is of {FAR}, which is still to come by the clock here"),
        ({"at": LATER, "called": "bergen"}, "it is of the cluster 'bergen'"),
        ({"at": LATER}, None),  # it can be true: whom the database lets in is one all the same
    ],
    ids=["future", "another-clusters", "believable"],
)
def test_no_record_hides_whom_another_host_knows(lie: dict[str, Any], words: str | None) -> None:
    _, _, seen = states(admitted=(GONE,))
    remembered(seen, OLD)
    remembered(seen, on="front-1", **lie)
    plan, _ = planned(seen)
    assert [name for name, _ in plan.problems] == ["history-2"]
    said_of_it = [one for one in said(plan) if "front-1's record of the cluster is not believed" in one]
    assert said_of_it == ([f"front-1's record of the cluster is not believed: {words}"] if words else [])


def test_a_record_that_nobody_believes_takes_nobody_out_and_names_nobody() -> None:
    _, _, seen = states()
    remembered(seen, OLD, on="front-1", at=FAR)
    plan, hosts = planned(seen)
    assert plan.problems == []
    assert hosts.steps_of("history-2") == []


@pytest.mark.parametrize(
    ("roles", "admitted", "silent", "stays"),
    [
        (("history",), (), False, False),  # the database has no place for it: it was taken out since
        (("history",), (GONE,), False, True),
        (("ui",), (), False, True),  # it needs no place there: nobody can tell
        (("history",), (), True, True),  # the database does not say whom it lets in
    ],
    ids=["taken-out", "let-in", "ui", "silent-database"],
)
def test_who_is_in_an_older_record_alone_is_a_member_unless_the_database_has_no_place_for_it(
    roles: tuple[str, ...], admitted: tuple[str, ...], *, silent: bool, stays: bool
) -> None:
    """A run over single hosts leaves the others with the record of before."""
    cluster, _, seen = states(admitted=admitted)
    if silent:
        seen["db-1"] = replace(seen["db-1"], live=Live())
    remembered(seen, replace(OLD, roles=roles))
    remembered(seen, on="front-1", at=LATER)
    assert [one.name for one in in_cluster(cluster, seen)] == (["history-2"] if stays else [])


def test_whom_one_host_remembers_as_shut_out_is_remembered_by_all() -> None:
    _, _, seen = states()
    remembered(seen, gone=(OLD,))
    remembered(seen, on="front-1", at=LATER)
    cluster, _ = trio()
    with Fleet(FakeHosts(seen).open, lambda _: None) as fleet:
        departing = Departing(cluster, fleet, "r1", Options())
        departing.find(seen, lock=False)
        assert [one.name for one in departing.remembered()] == ["history-2"]


def test_a_host_that_says_it_has_the_address_of_another_member_hides_nobody() -> None:
    cluster, _, seen = states()
    remembered(seen, OLD)
    seen["front-1"] = replace(seen["front-1"], addresses=["10.0.0.11", GONE])
    assert [one.name for one in in_cluster(cluster, seen)] == ["history-2"]


def test_a_host_that_says_another_is_reached_where_it_is_itself_hides_nobody() -> None:
    cluster, _, seen = states(admitted=(GONE,))
    remembered(seen, OLD)
    remembered(seen, replace(OLD, ssh="root@203.0.113.11:22"), on="front-1", at=LATER)
    assert [(one.name, one.ssh) for one in in_cluster(cluster, seen)] == [("history-2", OLD.ssh)]


def test_a_machine_that_does_not_have_the_address_is_not_the_host_that_left() -> None:
    """A record says where ssh reaches it, and may say anything: nothing is stopped or removed there."""
    _, _, seen = states((f"history {GONE}:7234",))
    remembered(seen, OLD)
    plan, _ = planned(seen, Options(gone=("history-2",)), answers=answering("history", address="10.0.0.99"))
    [one] = plan.departed
    assert (one.runs, one.ssh, one.why) == (None, "", f"the machine that answers there does not have {GONE}")


def test_a_record_that_nobody_believes_is_written_anew() -> None:
    cluster, bundles, seen = states()
    now = {one.host: (one.digest, "") for one in bundles}
    record = replace(described(cluster, "r0", now, cluster.digest), at=FAR)
    seen = {name: replace(state, record=record) for name, state in seen.items()}
    rollout, hosts, fleet = begun(seen, Options())
    with fleet:
        rollout.apply(rollout.plan(cluster.hosts, lock=True), lambda _: None)
    told = {name for name, step in hosts.given if isinstance(step, change.ClusterRecord)}
    assert told == {"db-1", "front-1", "history-1"}


@pytest.mark.parametrize("name", ["history-2", GONE])
def test_a_host_that_is_made_up_with_the_name_of_another_hides_nobody(name: str) -> None:
    cluster, _, seen = states((f"history {GONE}:7234",), admitted=(GONE,))
    if name != GONE:  # else the ring alone knows it
        remembered(seen, OLD)
    remembered(seen, replace(OLD, name=name, internal="10.9.9.9"), on="front-1", at=LATER)
    plan, _ = planned(seen)
    assert [one for one, _ in plan.problems] == [GONE, "10.9.9.9"]
    assert [one.name for one in in_cluster(cluster, seen)] == [GONE, "10.9.9.9"]
