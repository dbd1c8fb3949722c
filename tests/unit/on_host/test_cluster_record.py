"""What a host keeps of the cluster after a run: written whole, bounded, refused where it makes no sense."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tempo_infra.on_host import cluster_record
from tempo_infra.on_host.cluster_record import ClusterRecord, Member, keep, latest, records
from tempo_infra.on_host.layout import Layout

A, B = "a" * 64, "b" * 64
FRONT = Member("front-1", "10.0.0.11", ("frontend", "ui"), B, A, "deploy@203.0.113.11:22")
DATABASE = Member("db-1", "fd00::12", ("postgresql",), A, A, "deploy@[2001:db8::12]:22")
RECORD = ClusterRecord(
    "r1",
    "ola@laptop",
    "2026-11-30T03:22:16Z",
    "oslo",
    "c" * 64,
    (FRONT, DATABASE),
    (("history shards", "512"),),
)


def of_members(run: str, count: int) -> ClusterRecord:
    """A record of many hosts, each with the longest values that an inventory has."""
    many = [
        replace(FRONT, name=f"host-{number:058}", roles=("history", "matching", "worker", "frontend", "ui"))
        for number in range(count)
    ]
    return replace(RECORD, run=run, members=tuple(many))


def test_what_was_kept_is_read_again_by_root_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert latest(layout) is None
    keep(layout, ClusterRecord.of(json.loads(json.dumps(asdict(RECORD)))))
    assert latest(layout) == RECORD
    path = layout.runs / "r1.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in layout.runs.iterdir()] == ["r1.json"]


def test_who_changed_in_the_run_is_known() -> None:
    unasked = replace(FRONT, generation="", before="")
    assert [one.changed for one in (FRONT, DATABASE, unasked)] == [True, False, False]


def test_the_last_one_written_is_the_newest_though_the_clock_was_put_back(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    keep(layout, RECORD)
    ahead = 2**62
    os.utime(layout.runs / "r1.json", ns=(ahead, ahead))
    for run in ("r3", "r2"):
        keep(layout, replace(RECORD, run=run))
    assert [one.run for one in records(layout, 100_000)] == ["r1", "r3", "r2"]
    assert [one.run for one in records(layout, 1700)] == ["r3", "r2"]
    keep(layout, replace(RECORD, run="r3"))
    assert [one.run for one in records(layout, 100_000)] == ["r1", "r2", "r3"]


def test_of_many_runs_the_last_are_kept(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    (layout.runs / "r0").mkdir(parents=True)  # of a change under way
    for number in range(cluster_record.KEPT + 3):
        keep(layout, replace(RECORD, run=f"r{number}"))
    found = [one.run for one in records(layout, 10**9)]
    assert found == [f"r{number}" for number in range(3, cluster_record.KEPT + 3)]
    assert (layout.runs / "r0").is_dir()
    assert len(list(layout.runs.iterdir())) == cluster_record.KEPT + 1


def spoil(**values: Any) -> dict[str, Any]:
    return {**asdict(RECORD), **values}


def spoil_member(**values: Any) -> dict[str, Any]:
    return spoil(members=[{**asdict(FRONT), **values}])


NONSENSE = {
    "path": spoil(run="../r1"),
    "empty run": spoil(run=""),
    "time": spoil(at="yesterday"),
    "escape": spoil(who="ola\x1b[31m"),
    "long": spoil(who="x" * 201),
    "digest": spoil(inventory="c" * 63),
    "no members": {name: value for name, value in asdict(RECORD).items() if name != "members"},
    "a number": spoil(cluster=7),
    "two of a name": spoil(members=[asdict(FRONT), asdict(FRONT)]),
    "too many": spoil(members=[asdict(replace(FRONT, name=f"h{n}")) for n in range(1001)]),
    "too many gone": spoil(gone=[asdict(replace(FRONT, internal=f"10.0.1.{n}")) for n in range(51)]),
    "too many roles": spoil_member(roles=["history"] * 17),
    "address": spoil_member(internal="10.0.0.311"),
    "a statement in its zone": spoil_member(internal="fe80::1%'::text) or ('a' = 'a"),
    "role": spoil_member(roles=["front end"]),
    "generation": spoil_member(generation="b" * 12),
    "before": spoil_member(before="latest"),
    "host": spoil_member(name="front-1\nroot"),
    "ssh": spoil_member(ssh="a b"),
    "alike": spoil(alike=[["shards"]]),
}


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
def test_what_no_cluster_is_can_be_neither_written_nor_read_nor_answered(
    tmp_path: Path, body: dict[str, Any]
) -> None:
    layout = Layout(tmp_path)
    keep(layout, RECORD)
    with pytest.raises((ValueError, TypeError, KeyError)):
        keep(layout, ClusterRecord.of(body))
    (layout.runs / "r9.json").write_text(json.dumps(body))
    assert latest(layout) == RECORD
    with pytest.raises(ValidationError):
        TypeAdapter(ClusterRecord).validate_python(body)


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "7", json.dumps(asdict(RECORD))])
def test_a_damaged_record_hides_none_before_it(tmp_path: Path, content: str) -> None:
    layout = Layout(tmp_path)
    keep(layout, RECORD)
    (layout.runs / "r2.json").write_text(content)  # the last one: of another run than its name says
    assert latest(layout) == RECORD
    assert len(records(layout, 100_000)) == 1


def test_a_link_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    keep(layout, RECORD)
    (layout.runs / "r1.json").rename(tmp_path / "elsewhere")
    (layout.runs / "r1.json").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(layout.runs / "r2.json")
    assert latest(layout) is None


def test_a_record_without_end_is_neither_read_nor_written(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    keep(layout, of_members("r1", cluster_record.MOST_MEMBERS))
    assert latest(layout) is not None
    (layout.runs / "r2.json").write_text(json.dumps(asdict(replace(RECORD, run="r2"))) + " " * 2**20)
    found = latest(layout)
    assert found is not None
    assert found.run == "r1"


def test_what_a_later_version_wrote_beside_is_left_out() -> None:
    body = spoil(why="not", members=[{**asdict(one), "zone": "b"} for one in RECORD.members])
    assert ClusterRecord.of(body) == RECORD


OTHERS = {
    "run": (replace(RECORD, run="r2", who="kari@vm", at="2026-12-01T00:00:00Z"), True),
    "before": (replace(RECORD, members=(replace(FRONT, before=B), DATABASE)), True),
    "order": (replace(RECORD, members=(DATABASE, FRONT)), True),
    "not asked": (replace(RECORD, members=(replace(FRONT, generation=""), DATABASE)), True),
    "inventory": (replace(RECORD, inventory="d" * 64), False),
    "generation": (replace(RECORD, members=(replace(FRONT, generation=A), DATABASE)), False),
    "address": (replace(RECORD, members=(replace(FRONT, internal="10.0.0.9"), DATABASE)), False),
    "roles": (replace(RECORD, members=(replace(FRONT, roles=("frontend",)), DATABASE)), False),
    "fewer": (replace(RECORD, members=(FRONT,)), False),
    "another": (replace(RECORD, members=(FRONT, replace(DATABASE, name="db-2"))), False),
    "shards": (replace(RECORD, alike=(("history shards", "4"),)), False),
    "name": (replace(RECORD, cluster="bergen"), False),
}


@pytest.mark.parametrize(("now", "same"), OTHERS.values(), ids=OTHERS)
def test_nothing_is_written_where_the_host_knows_the_cluster(now: ClusterRecord, *, same: bool) -> None:
    assert now.says_no_more_than(RECORD) is same
    assert not now.says_no_more_than(None)


def test_what_was_not_asked_before_is_worth_writing() -> None:
    unasked = replace(RECORD, members=(replace(FRONT, generation=""), DATABASE))
    assert not RECORD.says_no_more_than(unasked)
