"""Who else logs in to the database: each way to more than was given is seen, what provision makes is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.checks.logins import POWERS, strangers
from tempo_infra.on_host.probes.logins import Role
from tests.unit.checks.hosts import ROLES, role

GREEN = role("temporal_green", "temporal")


def words(*more: Role, login: str = "temporal_blue") -> list[str]:
    """Say what is found of roles: of those that provision makes, and of more, which go before."""
    named = {one.name for one in more}
    return [one.words for one in strangers((*(o for o in ROLES if o.name not in named), *more), login)]


def ours(name: str, **changes: object) -> Role:
    return replace(next(one for one in ROLES if one.name == name), **changes)  # type: ignore[arg-type]


def test_what_provision_makes_is_fine_before_and_after_a_rotation() -> None:
    assert words() == []
    assert words(ours("temporal_blue", logs_in=False, password=False), GREEN, login="temporal_green") == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (role("reader", superuser=True), "reader: superuser"),
        (role("reader", logs_in=False, superuser=True), "reader: superuser"),
        (role("reader", "postgres"), "reader: superuser"),
        (role("reader", "temporal"), "reader: member of temporal"),
        (role("reader", "temporal", "temporal_blue"), "reader: member of temporal"),
        (role("reader", "temporal", superuser=True), "reader: superuser, member of temporal"),
        (role("reader", makes_roles=True), "reader: makes roles"),
        (role("reader", replicates=True), "reader: copies the whole server"),
        (role("reader", sees_all_rows=True), "reader: sees all rows"),
        *((role("reader", name), f"reader: {what}") for name, what in POWERS.items()),
        (ours("temporal_blue", superuser=True), "temporal_blue: superuser"),
        (ours("temporal_blue", member_of=("temporal", "postgres")), "temporal_blue: superuser"),
        (ours("temporal", member_of=("pg_execute_server_program",)), "temporal: runs programs on the server"),
        (ours("temporal_blue", makes_roles=True), "temporal_blue: makes roles"),
        (ours("temporal_local", password=True), "temporal_local: has a password"),
        (ours("postgres", password=True), "postgres: has a password"),
    ],
)
def test_each_way_to_more_is_named(found: Role, said: str) -> None:
    assert words(found) == [said]
    assert [one.gains != () for one in strangers((*ROLES, found))] == [True]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (role("exporter"), "exporter: logs in"),
        (role("exporter", "pg_monitor"), "exporter: logs in"),
        (GREEN, "temporal_green: logs in"),
        (ours("temporal", logs_in=True, password=True), "temporal: logs in"),
    ],
)
def test_who_logs_in_and_may_do_nothing_is_named_too(found: Role, said: str) -> None:
    assert words(found) == [said]
    assert [one.gains for one in strangers((*ROLES, found), "temporal_blue")] == [()]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            ours("temporal_blue", logs_in=False, sessions=1),
            "temporal_blue: logs in no more, and has 1 session open",
        ),
        (ours("temporal", sessions=2), "temporal: logs in no more, and has 2 sessions open"),
        (role("reader", logs_in=False, sessions=3), "reader: logs in no more, and has 3 sessions open"),
    ],
)
def test_who_may_not_log_in_and_is_there_is_named(found: Role, said: str) -> None:
    assert words(found, login="") == [said]
    assert [one.gains != () for one in strangers((*ROLES, found))] == [True]


def test_sessions_of_who_logs_in_are_nothing_to_say() -> None:
    assert words(ours("temporal_blue", sessions=40), ours("temporal_local", sessions=1)) == []


@pytest.mark.parametrize("found", [role("group", logs_in=False), role("group", "temporal", logs_in=False)])
def test_a_role_that_nobody_logs_in_as_is_nobody(found: Role) -> None:
    assert words(found) == []


def test_what_the_owner_is_its_members_are() -> None:
    said = [f"{name}: superuser" for name in ("temporal", "temporal_blue", "temporal_local")]
    assert words(ours("temporal", superuser=True)) == said


def test_those_who_can_do_most_come_first() -> None:
    assert words(role("a"), role("z", superuser=True)) == ["z: superuser", "a: logs in"]


def test_without_an_inventory_either_login_may_be_in_use() -> None:
    assert words(GREEN, login="") == []
