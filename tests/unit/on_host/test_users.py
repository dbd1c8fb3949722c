"""Whom containers run as, by what a host has."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from tempo_infra.on_host.manifest import NONE, ManifestError, parse
from tempo_infra.on_host.users import OF_IMAGES, OWN, PASSWD, Users, here, known

OLD = json.dumps({"files": {}, "services": {}})
NEW = json.dumps({"files": {}, "services": {}, "users": asdict(OWN)})


@pytest.fixture(autouse=True)
def _whoever_runs_the_tests_is_postgresqls_user() -> None:
    """Not here: the numbers are what they are."""


@pytest.mark.parametrize(
    ("manifest", "owner", "users"),
    [
        ("", None, OWN),
        ("", 999, Users(999, OWN.temporal, OWN.ui)),  # data that was kept, or brought here
        ("", 4711, OWN),  # somebody else's: refused for that, elsewhere
        (OLD, 999, OF_IMAGES),
        (OLD, None, Users(OWN.postgresql, 1000, 1000)),  # a new database on a host from before
        (OLD, OWN.postgresql, Users(OWN.postgresql, 1000, 1000)),
        (NEW, None, OWN),
        (NEW, OWN.postgresql, OWN),
        (NEW, 999, Users(999, OWN.temporal, OWN.ui)),  # another volume: its owner decides
    ],
)
def test_a_host_keeps_the_numbers_that_it_began_with(manifest: str, owner: int | None, users: Users) -> None:
    assert here(parse(manifest).users if manifest else NONE.users, owner) == users
    assert known(users)


@pytest.mark.parametrize("manifest", ["{", '{"users": {"root": 0}}', '{"users": {}}', '{"users": 3}'])
def test_a_manifest_that_is_none_says_nobody(manifest: str) -> None:
    with pytest.raises(ManifestError, match="can't be read"):
        parse(manifest)


@pytest.mark.parametrize("numbers", [(0, 1000, 1000), (999, 0, 1000), (999, 1000, 0), (999, 999, 999)])
def test_no_host_chooses_numbers_of_its_own(numbers: Any) -> None:
    assert not known(Users(*numbers))


def test_the_numbers_are_nobodys_by_custom() -> None:
    """Between what distributions give to people and what systemd and Debian give to services."""
    assert len(OWN.numbers) == 3
    assert all(60706 <= number <= 61183 for number in OWN.numbers)


def test_containers_know_their_users_by_name() -> None:
    rows = [line.split(":") for line in PASSWD.splitlines()]
    assert [(row[0], row[2]) for row in rows] == [
        ("root", "0"),
        ("postgres", str(OWN.postgresql)),  # its socket asks for the name
        ("temporal", str(OWN.temporal)),
        ("temporal-ui", str(OWN.ui)),
    ]
    assert all(len(row) == 7 and row[2] == row[3] for row in rows)
