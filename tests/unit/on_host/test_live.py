from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.on_host import psql
from tempo_infra.on_host.live import Live, of_rows, read
from tempo_infra.on_host.shell import StepError

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
KEPT = {"billing": 72 * 3600, "temporal-system": 168 * 3600}  # seconds
SIZES = {"postgres": 7, "temporal": 8_000_000}
SAID = Live("7712", ["old", "postgres", "temporal"], {"old": "2.31"}, {"active": 64}, KEPT, SIZES)


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
    assert of_rows([], [], [{"data": data}]).namespaces == {}


@given(st.binary())
def test_any_message_has_shards_or_none(message: bytes) -> None:
    found = of_rows([], [{"name": "a", "data": message.hex()}], [{"data": message.hex()}])
    assert all(
        0 < number < 1 << 70 for number in (*found.clusters.values(), *found.namespaces.values()) if number
    )


def test_temporals_tables_are_asked_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, asked = answering(DATABASES, CLUSTERS, NAMESPACES)
    monkeypatch.setattr(psql, "ask", ask)
    assert read("c0ffee") == SAID
    assert asked == ["postgres", "temporal", "temporal"]


def test_a_server_without_temporals_database_is_not_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, asked = answering(DATABASES[:2])
    monkeypatch.setattr(psql, "ask", ask)
    assert read("c0ffee") == Live("7712", ["old", "postgres"], {"old": "2.31"}, sizes={"postgres": 7})
    assert asked == ["postgres"]


def test_what_could_not_be_asked_is_said_and_the_rest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, _ = answering(DATABASES, StepError("not let in", remedy="provision"))
    monkeypatch.setattr(psql, "ask", ask)
    found = read("c0ffee")
    assert (found.databases, found.clusters, found.unasked) == (SAID.databases, {}, "not let in; provision")
