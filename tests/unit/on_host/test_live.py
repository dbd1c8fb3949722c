from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.on_host.live import Live, parse

# Field 1: "active", field 2: 64 shards, field 3: an id; as a server of Temporal 1.31 wrote it.
CLUSTER = "0a06616374697665" + "1040" + "1a0461626364"
SAID = f"identifier\t7712\ndatabase\tpostgres\t\tc\ndatabase\told\t2.31\tc\ncluster\tactive\t{CLUSTER}\n"


def test_the_rows_are_understood() -> None:
    assert parse(SAID) == Live("7712", ["postgres", "old"], {"old": "2.31"}, {"active": 64})


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
    assert all(shards > 0 for shards in parse(f"cluster\ta\t{message.hex()}\n").clusters.values())
