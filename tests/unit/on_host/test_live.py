from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.on_host.live import Live, parse

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
SAID = f"identifier\t7712\ndatabase\tpostgres\t\tc\ndatabase\told\t2.31\tc\ncluster\tactive\t{CLUSTER}\n"


def test_the_rows_are_understood() -> None:
    assert parse(SAID) == Live("7712", ["postgres", "old"], {"old": "2.31"}, {"active": 64})


def test_namespaces_are_told_with_the_seconds_that_they_keep_workflows() -> None:
    said = f"namespace\t{BILLING}\nnamespace\t{SYSTEM}\n"
    assert parse(said).namespaces == {"billing": 72 * 3600, "temporal-system": 168 * 3600}


@pytest.mark.parametrize(
    "message", [DELETED, "", "zz", "0a", BILLING[:-2], BILLING.replace("0880e90f", "08" + "ff" * 40)]
)
def test_a_namespace_that_goes_or_makes_no_sense_is_none(message: str) -> None:
    assert parse(f"namespace\t{message}\n").namespaces == {}


@pytest.mark.parametrize(
    "said",
    ["", "identifier\n", "identifier\tx\n", "cluster\tactive\tzz\n", "cluster\tactive\t0\n", "ERROR: no\n"],
)
def test_what_makes_no_sense_is_nothing(said: str) -> None:
    assert parse(said) == Live()


@given(st.text())
def test_any_answer_is_taken_or_left(said: str) -> None:
    parse(said)


@given(st.binary())
def test_any_message_has_shards_or_none(message: bytes) -> None:
    found = parse(f"cluster\ta\t{message.hex()}\nnamespace\t{message.hex()}\n")
    assert all(
        0 < number < 1 << 70 for number in (*found.clusters.values(), *found.namespaces.values()) if number
    )
