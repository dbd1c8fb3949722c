"""What records of hosts say together: what one host makes up counts for one host."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tempo_infra.deploy.believed import Believed, believed
from tempo_infra.on_host.cluster_record import MOST_GONE, ClusterRecord, Member


def member(number: int, of: str = "true", **more: object) -> Member:
    at = f"10.{sum(map(ord, of)) % 250}.{number // 250}.{number % 250}"
    one = Member(f"{of}-{number}", at, ("history",), "", "", f"x@{of}-{number}:22")
    return replace(one, **more)  # type: ignore[arg-type]  # more is


def record(
    hour: int, *members: Member, gone: Sequence[Member] = (), cluster: str = "oslo", run: str = ""
) -> ClusterRecord:
    at = f"2025-11-30T{hour:02}:00:00Z"
    return ClusterRecord(run or f"r{hour}", "x@y", at, cluster, "", members, gone=tuple(gone))


def of(**records: ClusterRecord) -> Believed:
    return believed(records, ("oslo",))


TRUE = [member(n) for n in range(1, 4)]
MADE_UP = [member(n, "made-up") for n in range(MOST_GONE)]
D = member(9)


@pytest.mark.parametrize("hour", [1, 3])  # older or newer than the others'
def test_whom_one_host_makes_up_pushes_out_nobody_whom_others_know(hour: int) -> None:
    same = record(2, gone=TRUE)
    found = of(db=same, front=record(hour, gone=MADE_UP), ui=same).gone
    assert found[:3] == tuple(TRUE)
    assert len(found) == 3 + MOST_GONE


@pytest.mark.parametrize("hour", [1, 3])
def test_of_two_hosts_that_say_something_else_each_has_its_share(hour: int) -> None:
    found = of(db=record(2, gone=TRUE), front=record(hour, gone=MADE_UP)).gone
    assert set(TRUE) < set(found[:6])


@pytest.mark.parametrize("honest", [2, 3])
def test_a_host_that_makes_some_up_before_each_run_pushes_out_nobody_in_the_end(honest: int) -> None:
    """What is written after a run stands on all hosts: what was made up once is known to all."""
    written = TRUE
    for hour in range(1, 20):
        lies = [member(n, "x" * hour) for n in range(MOST_GONE)]
        one = record(hour, gone=written)
        others = {f"host-{n}": one for n in range(honest)}
        now = member(100 + hour)
        found = of(**others, liar=record(hour, gone=lies, run="lie")).gone
        written = [now, *found][:MOST_GONE]
        assert {now, *TRUE} <= set(written)


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ({"a": record(1, D)}, D),
        ({"a": record(1, D), "b": record(2, replace(D, ssh="x@evil:22"))}, replace(D, ssh="x@evil:22")),
        (
            {"a": record(1, D), "b": record(3, replace(D, ssh="x@evil:22")), "c": record(2, D)},
            D,
        ),
        (  # who holds a database is not taken out: one host does not say so for the others
            {"a": record(1, D), "b": record(3, replace(D, roles=("postgresql",))), "c": record(2, gone=[D])},
            D,
        ),
    ],
    ids=["one", "newer", "most", "roles"],
)
def test_a_member_is_what_most_hosts_say_it_is(records: dict[str, ClusterRecord], found: Member) -> None:
    assert of(**records).likeliest(lambda _: True) == (found,)


AT = (D.internal, D.ssh)


@pytest.mark.parametrize(
    ("records", "by"),
    [
        ({"a": record(1, D)}, {}),  # no other host could say it
        ({"a": record(1, D), "b": record(1, D)}, {}),
        ({"a": record(1, D), "b": record(2, gone=[D])}, {}),
        ({"a": record(1, D), "b": record(2)}, {AT: "a"}),
        ({"a": record(1, D), "b": record(2, cluster="bergen")}, {}),  # that one is no word on this cluster
        (
            {"a": record(1, D), "b": record(2, replace(D, ssh="x@evil:22")), "c": record(1, D)},
            {(D.internal, "x@evil:22"): "b"},
        ),
    ],
)
def test_a_place_that_one_host_alone_tells_of(
    records: dict[str, ClusterRecord], by: dict[tuple[str, str], str]
) -> None:
    assert of(**records).told_by_one == by


@pytest.mark.parametrize(
    ("records", "left"),
    [
        ({"a": record(1, D)}, False),
        ({"a": record(1, D), "b": record(2)}, False),  # one host may hide it
        ({"a": record(1, D), "b": record(2), "c": record(3)}, True),
        ({"a": record(2, D), "b": record(1), "c": record(3)}, False),  # that one is of before it came
        ({"a": record(1, D), "b": record(2), "c": record(3), "d": record(1, D)}, True),
        ({"a": record(1, D), "b": record(2), "c": record(3, replace(D, name="other"))}, False),
    ],
)
def test_who_was_taken_out_is_none_when_the_later_records_of_several_hosts_say_so(
    records: dict[str, ClusterRecord], *, left: bool
) -> None:
    assert dict(of(**records).members)[D] is left


def test_records_as_long_as_hosts_like_are_read_in_a_time_that_grows_with_them() -> None:
    def took(count: int) -> float:
        lists = [[member(n, f"{host:03}", internal=f"10.{host}.{n // 250}.{n % 250}") for n in range(count)]
                 for host in range(4)]  # fmt: skip
        told = of(**{f"h{host}": record(host, *some) for host, some in enumerate(lists)})
        began = time.process_time()
        assert len(told.likeliest(lambda _: True)) == len(told.members) == len(told.told_by_one) == 4 * count
        return time.process_time() - began

    few = min(took(50) for _ in range(3))
    assert min(took(400) for _ in range(3)) < 50 * few
