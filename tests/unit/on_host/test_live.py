from __future__ import annotations

import io
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tempo_infra.deploy import responses
from tempo_infra.on_host import psql
from tempo_infra.on_host.live import MOST_MEMBERS, Heard, Live, of_rows, read
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import reading
from tempo_infra.on_host.wire import encode, read_frame

if TYPE_CHECKING:
    from collections.abc import Callable

# Field 1: "active", field 2: 64 shards, field 3: an id; as a server of Temporal 1.31 wrote it.
CLUSTER = "0a06616374697665" + "1040" + "1a0461626364"
# A namespace and the server's own, as a server of Temporal 1.31 wrote them; and one that is being deleted.
BILLING = (
    "0a310a2463313236313961332d356338352d346631632d396562642d63633461626262653466306310011a0762696c6c696e67"
    "120c0a040880e90f1a00200130011a120a06616374697665120661637469766518012004"
)
SYSTEM = (
    "0a780a2433323034396236382d373837322d343039342d386536332d64306464353938393661383310011a0f74656d706f7261"
    "6c2d73797374656d222254656d706f72616c20696e7465726e616c2073797374656d206e616d6573706163652a1974656d706f"
    "72616c2d636f72654074656d706f72616c2e696f120a0a040880f524200130011a100a06616374697665120661637469766528"
    "ffffffffffffffffff01"
)
DELETED = BILLING.replace("10011a07", "10031a07", 1)
DATABASES = [
    {"identifier": "7712", "name": name, "version": version, "provider": "c", "bytes": size}
    for name, version, size in (("old", "2.31", None), ("postgres", None, 7), ("temporal", None, 8_000_000))
]
CLUSTERS = [{"name": "active", "data": CLUSTER}]
NAMESPACES = [{"data": BILLING}, {"data": SYSTEM}]
KEPT = [("billing", 72 * 3600), ("temporal-system", 168 * 3600)]  # seconds
SIZES = {"postgres": 7, "temporal": 8_000_000}
SAID = Live("7712", ["old", "postgres", "temporal"], {"old": "2.31"}, [("active", 64)], KEPT, SIZES)


def answering(*answers: list[dict[str, Any]] | StepError) -> tuple[Callable[..., Any], list[str]]:
    """Return what stands for `psql.ask`, and the databases that it is asked in."""
    asked: list[str] = []

    def ask(_: str, __: str, *, database: str = "postgres", deadline_s: float) -> list[dict[str, Any]]:
        del deadline_s
        asked.append(database)
        answer = answers[len(asked) - 1]
        if isinstance(answer, StepError):
            raise answer
        return answer

    return ask, asked


def test_the_rows_are_understood() -> None:
    assert of_rows(DATABASES, CLUSTERS, NAMESPACES) == SAID


@pytest.mark.parametrize("data", [None, "", "zz", "0", "0a", 3, ["10", "40"], "ff" * 40])
def test_a_message_that_makes_no_sense_is_no_cluster(data: object) -> None:
    assert of_rows([], [{"name": "active", "data": data}]) == Live()


@pytest.mark.parametrize(
    "data", [DELETED, None, 3, "", "zz", "0a", BILLING[:-2], BILLING.replace("0880e90f", "08" + "ff" * 40)]
)
def test_a_namespace_that_goes_or_makes_no_sense_is_none(data: object) -> None:
    assert of_rows([], [], [{"data": data}]).namespaces == []


@given(st.binary())
def test_any_message_has_shards_or_none(message: bytes) -> None:
    found = of_rows([], [{"name": "a", "data": message.hex()}], [{"data": message.hex()}])
    assert all(0 <= number < 1 << 63 for _, number in (*found.clusters, *found.namespaces))


def test_temporals_tables_are_asked_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"role": "history", "address": "10.0.0.12", "heard_s": 7}]
    ask, asked = answering(
        [*DATABASES[:-1], {**DATABASES[-1], "admitted": ["10.0.0.12"]}], CLUSTERS, NAMESPACES, rows
    )
    monkeypatch.setattr(psql, "ask", ask)
    members = [Heard("history", "10.0.0.12", 7)]
    assert read("c0ffee") == replace(SAID, members=members, admitted=["10.0.0.12"])
    assert asked == ["postgres", "temporal", "temporal", "temporal"]


@pytest.mark.parametrize(
    "row",
    [
        {"role": None, "address": "10.0.0.12", "heard_s": 7},  # of a role that nobody has
        {"role": "history", "address": "x", "heard_s": 7},
        {"role": "history", "address": "10.0.0.12; drop", "heard_s": 7},
    ],
)
def test_a_row_of_a_member_that_none_can_be_is_left_out(row: dict[str, object]) -> None:
    assert of_rows(members=[row]).members == []


NOBODIES = [{"role": None, "address": str(number), "heard_s": 7} for number in range(MOST_MEMBERS)]


@pytest.mark.parametrize(
    ("rows", "in_part"),
    [(NOBODIES, True), (NOBODIES[1:], False), (StepError("integer out of range"), True)],
    ids=["as many as are asked for", "fewer", "none"],
)
def test_members_that_are_not_all_are_said_to_be(
    monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]] | StepError, *, in_part: bool
) -> None:
    """Whoever has the password can write rows that push the others out of the answer."""
    ask, _ = answering(DATABASES, CLUSTERS, NAMESPACES, rows)
    monkeypatch.setattr(psql, "ask", ask)
    assert read("c0ffee").in_part is in_part


def test_a_server_without_temporals_database_is_not_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, asked = answering(DATABASES[:2])
    monkeypatch.setattr(psql, "ask", ask)
    assert read("c0ffee") == Live("7712", ["old", "postgres"], {"old": "2.31"}, sizes={"postgres": 7})
    assert asked == ["postgres"]


def test_what_could_not_be_asked_is_said_and_the_rest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, _ = answering(DATABASES, StepError("not let in", remedy="provision"))
    monkeypatch.setattr(psql, "ask", ask)
    found = read("c0ffee")
    assert (found.databases, found.clusters, found.unasked) == (SAID.databases, [], "not let in; provision")


def varint(number: int) -> bytes:
    rest, byte = number >> 7, number & 0x7F
    return bytes([byte | 0x80]) + varint(rest) if rest else bytes([byte])


def part(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def namespace(name: bytes, seconds: int) -> dict[str, str]:
    retention = part(1, varint(1 << 3) + varint(seconds))
    return {"data": (part(1, part(3, name)) + part(2, retention)).hex()}


def cluster(name: str, shards: int) -> dict[str, str]:
    return {"name": name, "data": (varint(2 << 3) + varint(shards)).hex()}


GOOD = namespace(b"billing", 60)
NO_NUMBER = "there twice, or with a number that can't be, so none is compared"
PASSWORDS = ("blue0123456789abcdef", "green123456789abcdef")


def told(live: Live) -> Any:
    """What the operator's program takes of an answer; it refuses all of it for one part that is unfit."""
    steps = [reading.State({}, [], [], "")]
    sent = io.BytesIO(encode("n", "reply", {"results": [{"live": asdict(live)}]}))
    frame = read_frame("n", sent.readline, sent.read, lambda kind: responses.most_bytes(kind, steps))
    assert frame

    def hide(text: str) -> str:
        for one in PASSWORDS:
            text = text.replace(one, "[hidden]")
        return text

    return responses.reply(frame[1], steps, hide).results[0]["live"]


@pytest.mark.parametrize(
    ("clusters", "rows", "said"),
    [
        ([], [GOOD, namespace("a\u200b".encode(), 1), namespace(b"a?", 1)], "2 of Temporal's namespaces"),
        ([], [GOOD, *(namespace(b"\xff" * 7000 + b"%d" % n, 1) for n in range(140))], "140 of Temporal's"),
        ([cluster("a\u200b", 4), cluster("a?", 4)], [GOOD], "2 of Temporal's clusters with a name"),
        ([], [GOOD, *(namespace(one.encode(), 1) for one in PASSWORDS)], ""),
        ([], [namespace(b"n%d" % n + b"x" * 120, n) for n in range(5000)], ""),
    ],
    ids=["alike", "long", "clusters alike", "passwords", "many"],
)
def test_names_that_none_can_have_are_counted_and_lock_nobody_out(
    clusters: list[dict[str, str]], rows: list[dict[str, str]], said: str
) -> None:
    found = of_rows([], clusters, rows)
    assert told(found)["unasked"].startswith(said)
    assert bool(found.unasked) == bool(said)
    assert not clusters or found.clusters == []
    assert GOOD not in rows or ("billing", 60) in found.namespaces


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([GOOD, namespace(b"a", 2**70 - 1)], f"Temporal's namespaces: a: {NO_NUMBER}"),
        ([GOOD, namespace(b"a", 2**63)], f"Temporal's namespaces: a: {NO_NUMBER}"),
        (
            [GOOD, namespace(b"a", 1), namespace(b"a", 2), namespace(b"b", 2**64 - 1)],
            f"Temporal's namespaces: a and 1 more: {NO_NUMBER}",
        ),
    ],
)
def test_a_number_that_can_not_be_decides_nothing(rows: list[dict[str, str]], said: str) -> None:
    found = of_rows([], [], rows)
    assert (found.namespaces, found.unasked) == ([], said)
    assert told(found)["namespaces"] == []
    shards = of_rows([], [cluster("active", 2**70 - 1)])
    assert (shards.clusters, told(shards)["clusters"]) == ([], [])
    assert shards.unasked == f"Temporal's clusters: active: {NO_NUMBER}"


def test_the_largest_number_and_one_that_is_there_twice_alike_are_fit() -> None:
    found = of_rows([], [], [namespace(b"a", 2**63 - 1), GOOD, GOOD])
    assert (found.namespaces, found.unasked) == ([("a", 2**63 - 1), ("billing", 60)], "")


def test_what_is_unfit_and_what_could_not_be_asked_are_both_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, _ = answering(DATABASES, [cluster("a?", 4)], StepError("not let in"))
    monkeypatch.setattr(psql, "ask", ask)
    assert read("c0ffee").unasked == (
        "1 of Temporal's clusters with a name that no inventory can have; not let in"
    )


@pytest.mark.parametrize("address", ["$(id>x)", "front-1", "", "fe80::1%$(id>x)", "10.0.0.12; id"])
def test_an_answer_with_an_address_that_is_none_is_none(address: str) -> None:
    """A host that left is called by its address, in a command to paste."""
    fit = {"role": "history", "address": "10.0.0.12", "ago_s": 7}
    adapter = TypeAdapter(Live)
    assert adapter.validate_python({"members": [fit], "admitted": ["fd00::1"]}).members[0].ago_s == 7
    for answer in (
        {"members": [fit | {"address": address}]},
        {"admitted": [address]},
        {"refused": [address]},
    ):
        with pytest.raises(ValidationError):
            adapter.validate_python(answer)
