"""What runs did to a host, by its journal, and which of them can be taken back."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tempo_infra.deploy.run_back import Last, Past, last, must_be_one, named, past
from tempo_infra.errors import InputError
from tempo_infra.on_host.cluster_record import ClusterRecord, Member
from tempo_infra.on_host.journal import Entry
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.runs import Runs

A, B, C, D = ("0" + letter * 63 for letter in "abcd")


def of(*entries: Entry, now: str | None, zero: bool = True) -> Past:
    return past(Runs(now, now, now, zero=zero, entries=list(entries)))


def kept(run: str, generation: str, at: str = "") -> Entry:
    return Entry(run, "confirm", "confirmed", generation, time=at)


FAILED = Entry("a1f0", "rollback", "rolled back", A)
HELD = Entry("a2f0", "hold", "held", C)
R1, R2, R3 = kept("aaa1", A), kept("aaa2", B), kept("aaa3", C)
BACK = kept("aaa4", B)  # what R3 made was taken back


@pytest.mark.parametrize(
    ("entries", "now", "changes"),
    [
        ([], None, []),
        ([R1, R2], B, [("aaa1", ZERO, A), ("aaa2", A, B)]),
        ([R1, FAILED, R2], B, [("aaa1", ZERO, A), ("aaa2", A, B)]),  # it is as if that had not been
        ([R1, kept("aaa9", A), R2], B, [("aaa1", ZERO, A), ("aaa2", A, B)]),  # confirmed once more
        ([R1, R2, kept("aaa5", "")], None, [("aaa1", ZERO, A), ("aaa2", A, B), ("aaa5", B, ZERO)]),
        ([R1, HELD], C, [("aaa1", ZERO, A), ("a2f0", A, C)]),
        ([R1, HELD, kept("aaa6", D)], D, [("aaa1", ZERO, A), ("aaa6", A, D)]),  # what was held is no more
        ([R1, HELD, FAILED], A, [("aaa1", ZERO, A)]),
        ([R1, Entry("aaa7", "switch", "done", B)], B, [("aaa1", ZERO, A)]),
    ],
)
def test_a_run_changed_a_host_from_what_was_kept_until_then(
    entries: list[Entry], now: str | None, changes: list[tuple[str, str, str]]
) -> None:
    found = of(*entries, now=now)
    assert [(one.run, one.before, one.after) for one in found.changes.values()] == changes


def test_where_nothing_of_before_was_kept_the_first_run_has_no_before() -> None:
    assert of(R1, R2, now=B, zero=False).changes["aaa1"].before is None


@pytest.mark.parametrize(
    ("entries", "now", "strays"),
    [
        ([R1, R2], B, False),
        ([R1, R2], None, True),  # the link is gone
        ([R1, R2], D, True),  # somebody has set it
        ([R1, HELD], C, False),  # a run has left it so
        ([R1, HELD], None, True),
        ([R1, R2, kept("aaa5", "")], None, False),
        ([], B, False),  # the journal is lost: nobody knows better
        ([], None, False),
    ],
)
def test_a_host_strays_that_is_on_nothing_that_a_run_has_left_it_on(
    entries: list[Entry], now: str | None, *, strays: bool
) -> None:
    assert of(*entries, now=now).strays is strays


@pytest.mark.parametrize(
    ("entries", "now", "run", "above"),
    [
        ([R1, R2, R3], C, "aaa3", []),
        ([R1, R2, R3], C, "aaa2", ["aaa3"]),
        ([R1, R2, R3], C, "aaa1", ["aaa3", "aaa2"]),
        ([R1, R2, R3, BACK], B, "aaa2", []),  # it is on what that made, however it came to it
        ([R1, R2, R3, BACK], B, "aaa1", ["aaa2"]),  # the run that cancelled another is not among them
        ([R1, R2, R3, BACK, kept("aaa5", D)], D, "aaa1", ["aaa5", "aaa2"]),
    ],
)
def test_what_came_later_is_taken_back_first_by_the_shortest_way(
    entries: list[Entry], now: str, run: str, above: list[str]
) -> None:
    found = of(*entries, now=now)
    assert found.above(run) == above
    assert found.is_on_top(run) is not bool(above)


def test_a_host_that_a_run_did_not_change_is_in_no_runs_way() -> None:
    assert of(R1, now=A).is_on_top("aaa3")


T = ("2026-11-30T01:00:00Z", "2026-11-30T02:00:00Z", "2026-11-30T03:00:00Z")


def told(run: str, at: str, *changed: str) -> ClusterRecord:
    """The record that a run left, of three hosts."""
    members = tuple(
        Member(name, f"10.0.0.{n}", ("history",), B, A if name in changed else B, "")
        for n, name in enumerate(("db", "front", "ui"), 1)
    )
    return ClusterRecord(run, "kari@vm", at, "oslo", "", members)


def host(*entries: Entry, records: tuple[ClusterRecord, ...] = ()) -> Runs:
    now = entries[-1].generation if entries else None
    return Runs(now, now, now, zero=True, entries=list(entries), records=list(records))


def last_of(**hosts: Runs) -> Last:
    return last({name: past(one) for name, one in hosts.items()}, hosts)


FAR = "9999-12-31T23:59:59Z"
SECOND = told("aaa2", T[1], "db", "front")
THIRD = told("aaa3", T[2], "front")
BOTH = (SECOND, THIRD)


@pytest.mark.parametrize(
    ("hosts", "run"),
    [
        ({"db": host(R1, R2)}, "aaa2"),
        ({"db": host(R1, R2), "front": host(R1, R2)}, "aaa2"),
        ({"db": host(R1, R2), "front": host(R1, R2), "ui": host()}, "aaa2"),  # is new: it says nothing
        # Who was not changed knows it by the record; no date counts.
        ({"db": host(R1, kept("aaa2", B, FAR), records=BOTH), "front": host(R1, R3, records=BOTH)}, "aaa3"),
        ({"db": host(R1, R2, records=BOTH)}, "aaa2"),  # of the hosts that are asked
        # Its confirmation was not heard: the record was corrected, and it kept the generation by itself.
        ({"db": host(R1, R3, records=(SECOND, told("aaa3", T[2])))}, "aaa3"),
        # Changed by a run from before there were records.
        ({"db": host(kept("aaa2", B, T[0]), records=(THIRD,)), "front": host(R3, records=(THIRD,))}, "aaa3"),
    ],
)
def test_the_last_run_is_the_one_that_all_hosts_know_as_that(hosts: dict[str, Runs], run: str) -> None:
    assert last_of(**hosts) == Last(run)


@pytest.mark.parametrize(
    ("hosts", "run", "says"),
    [
        # A run that one host alone tells of, whatever it dates it.
        (
            {"db": host(R1, R2, records=(SECOND,)), "front": host(R1, R2, kept("bbb9", C, FAR))},
            "bbb9",
            "aaa2 by db; bbb9 by front",
        ),
        (
            {
                "db": host(R1, records=(SECOND,)),
                "front": host(kept("bbb9", B), records=(told("bbb9", FAR, "front"),)),
            },
            "bbb9",
            "aaa2 by db; bbb9 by front",
        ),
        # A run over one host that the other one has no record of.
        (
            {"db": host(R1, kept("bbb1", B, T[1])), "front": host(R1, kept("bbb2", B, T[2]))},
            "bbb2",
            "bbb1 by db; bbb2 by front",
        ),
        # One that has forgotten the last one, and what that made is current on it.
        (
            {"db": host(R1, R2, R3, records=BOTH), "front": host(R1, R2, records=(SECOND,))},
            "aaa3",
            "aaa3 by db; aaa2 by front",
        ),
        # Records of a run that no journal knows, and a run (held, or not told of) without a record.
        (
            {"db": host(R1, R2, records=(told("bbb9", T[2], "db"), SECOND, told("bbb9", T[2], "db")))},
            "aaa2",
            "bbb9 by db",
        ),
        ({"db": host(R1, replace(HELD, time=T[2]), records=(SECOND,))}, "a2f0", "a2f0 by db; aaa2 by db"),
        (
            {"db": host(R1, R2, kept("bbb1", C, T[0])), "front": host(R1, kept("aaa2", B, T[2]))},
            "bbb1",  # aaa2 ended later on one, and is covered on the other
            "bbb1 by db; aaa2 by front",
        ),
    ],
)
def test_where_hosts_differ_that_is_said_and_the_likeliest_is_for_a_person_to_look_at(
    hosts: dict[str, Runs], run: str, says: str
) -> None:
    found = last_of(**hosts)
    assert (found.run, found.doubt) == (run, f"hosts differ on which run was the last: {says}")


@pytest.mark.parametrize(
    ("host", "run", "found"),
    [
        (of(R1, R2, now=B), "aaa1", "aaa1"),
        (of(kept("bbbb1111", A), kept("bbbb2222", B), now=B), "bbbb1", "bbbb1111"),
    ],
)
def test_the_run_that_is_named(host: Past, run: str, found: str) -> None:
    assert named({"db": host}, run) == found


@pytest.mark.parametrize(
    ("entries", "run", "says"),
    [
        ([R1], "cccc", "no run cccc has changed"),
        ([kept("bbbb1111", A), kept("bbbb2222", B)], "bbbb", "2 runs begin with bbbb: bbbb1111, bbbb2222"),
        ([FAILED], "a1f0", "no run a1f0 has changed"),  # it put itself back
    ],
)
def test_a_run_that_nobody_knows_is_an_error(entries: list[Entry], run: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        named({"db": of(*entries, now=entries[-1].generation)}, run)


def test_where_no_run_changed_anything_there_is_no_last_one() -> None:
    with pytest.raises(InputError, match="no run has changed any of these hosts"):
        last_of(db=host())


@pytest.mark.parametrize(
    ("run", "to", "says"),
    [
        ("7f3a9c01", "3f2a", "RUN and --to exclude each other"),
        ("front-1", None, "'front-1' is no run"),  # a host without --host
        ("7f3", None, "is no run"),
        ("", None, "is no run"),
        (None, "3F2A", "is no generation"),
        (None, "", "is no generation"),
        (None, "a" * 65, "is no generation"),
        (None, "current", "is no generation"),
        (None, "0a\n", "is no generation"),
    ],
)
def test_what_can_be_no_run_and_no_generation_is_refused_by_its_form(
    run: str | None, to: str | None, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        must_be_one(run, to)


@pytest.mark.parametrize(
    ("run", "to"), [("7f3a9c01", None), ("7f3a", None), (None, "0"), (None, "0a"), (None, None)]
)
def test_what_can_be_one_is_asked_for(run: str | None, to: str | None) -> None:
    must_be_one(run, to)


def test_a_journal_as_long_as_a_host_likes_is_read_in_a_time_that_grows_with_it() -> None:
    def took(count: int) -> float:
        entries = [kept(f"{number:08x}", f"{number:064x}") for number in range(1, count)]
        began = time.process_time()
        last_of(db=host(*entries), front=host(*entries))
        of(*entries, now=entries[-1].generation).above(entries[0].run)
        return time.process_time() - began

    few = min(took(1000) for _ in range(3))
    assert min(took(16_000) for _ in range(3)) < 100 * few
