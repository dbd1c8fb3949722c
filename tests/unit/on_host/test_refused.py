"""Refused logins in the log of the database, as PostgreSQL 15 to 18 write them."""

from __future__ import annotations

import time

import pytest

from tempo_infra.on_host.probes.refused import Refused, of_log

HEAD = "2026-11-30 04:06:21.363 UTC [635] temporal_blue@temporal 10.99.0.17 FATAL:  "


REJECTED = (
    'pg_hba.conf rejects connection for host "10.99.0.17", user "{}", database "temporal", no encryption'
)
NO_ENTRY = (
    'no pg_hba.conf entry for host "fd00::17", user "temporal_green", database "temporal", SSL encryption'
)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (REJECTED.format("temporal_blue"), (Refused("10.99.0.17", 1),)),
        (NO_ENTRY, (Refused("fd00::17", 1),)),
        (REJECTED.format("grafana"), ()),
        (REJECTED.format("temporal_blue").replace("10.99.0.17", "1.2.3"), ()),
        ('password authentication failed for user "temporal_blue"', ()),
        ("", ()),
    ],
)
def test_refused_logins_of_temporal_are_counted_by_their_address(
    line: str, found: tuple[Refused, ...]
) -> None:
    assert of_log(f"{HEAD}{line}\n") == found


BY = "2026-11-30 04:06:21.363 UTC [635] temporal_blue@temporal 172.30.0.1 "
LIE = "FATAL:  " + NO_ENTRY


@pytest.mark.parametrize(
    "line",
    [
        f"{BY}LOG:  {NO_ENTRY}",
        f"{BY}LOG:  {LIE}",
        f"{BY}LOG:  x\n\t{LIE}",
        f"{BY}LOG:  x\u2028{LIE}",
        f"{BY}LOG:  x\v{LIE}",
        f"{BY}LOG:  x\r{LIE}",
        f'{BY}ERROR:  invalid input syntax for type integer: "{LIE}" at character 8',
        f"{BY}STATEMENT:  select '{LIE}'",
        f"{BY}CONTEXT:  PL/pgSQL function {LIE}",
        f'{BY}FATAL:  database "{LIE}" does not exist',
    ],
)
def test_who_is_let_in_can_not_have_it_written_that_another_was_refused(line: str) -> None:
    assert of_log(f"{line}\n") == ()


def test_a_log_of_long_lines_is_read_in_no_time() -> None:
    began = time.process_time()
    assert of_log("\n".join([("A" * 4000 + ":" + " FATAL: " * 4000)] * 500)) == ()
    assert time.process_time() - began < 1


def test_whoever_knocks_most_comes_first_and_of_many_a_few_are_named() -> None:
    line = (
        HEAD
        + 'pg_hba.conf rejects connection for host "10.0.0.{}", user "temporal_blue", database "temporal"\n'
    )
    log = "".join(line.format(number) for number in range(1, 60)) + line.format(7)
    found = of_log(log)
    assert found[0] == Refused("10.0.0.7", 2)
    assert len(found) == 20
