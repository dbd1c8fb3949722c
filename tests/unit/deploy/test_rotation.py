"""The two logins: what is made for them, which one comes next, and in which order the old one goes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from tempo_infra.checks.logins import Stranger
from tempo_infra.deploy.database_roles import retired_roles, retirement, roles_and_databases
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.rotation import begin, others, retire
from tempo_infra.errors import InputError, StepFailedError, UnreachableError
from tempo_infra.inventory import load
from tempo_infra.inventory.logins import Login
from tempo_infra.secrets import Secret, SecretStore
from tests.fakes import FakeHosts
from tests.unit.checks.hosts import ROLES, role

EXAMPLE = Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml"
BLUE, GREEN = (Secret(login.secret, f"the password of {login}") for login in Login)


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "inventory.yaml"
    path.write_text(EXAMPLE.read_text())
    return path


def store(inventory: Path) -> SecretStore:
    return SecretStore.open(load(inventory).secrets)


def test_before_the_first_provision_there_is_nothing_to_rotate(inventory: Path) -> None:
    with pytest.raises(InputError, match="no password to rotate"):
        begin(inventory)
    assert inventory.read_text() == EXAMPLE.read_text()


def test_a_rotation_goes_to_the_other_login_and_is_gone_on_with_until_the_old_password_is_gone(
    inventory: Path,
) -> None:
    store(inventory).ensure([Login.BLUE.secret])
    assert begin(inventory) == (Login.GREEN, True)
    assert load(inventory).secrets.login is Login.GREEN
    assert begin(inventory) == (Login.GREEN, False)  # killed before the new password was made
    store(inventory).ensure([Login.GREEN.secret])
    assert begin(inventory) == (Login.GREEN, False)  # killed anywhere before the end
    store(inventory).forget([Login.BLUE.secret])
    assert begin(inventory) == (Login.BLUE, True)  # the next one


def test_the_new_password_is_another_one_and_the_old_one_leaves_the_file(inventory: Path) -> None:
    before = store(inventory).ensure([Login.BLUE.secret])[Login.BLUE.secret]
    after = store(inventory).ensure([Login.GREEN.secret])[Login.GREEN.secret]
    assert before.value != after.value
    store(inventory).forget([Login.BLUE.secret, "never there"])
    assert set(store(inventory).read()) == {Login.GREEN.secret}


def test_the_statements_hold_verifiers_and_no_password() -> None:
    text = roles_and_databases({BLUE.name: BLUE, GREEN.name: GREEN})
    assert "the password of" not in text
    assert text.count("SCRAM-SHA-256$") == 3  # both logins, and the owner if it still logs in itself


@pytest.mark.parametrize(("secret", "role"), [(BLUE, "temporal_blue"), (GREEN, "temporal_green")])
def test_each_login_acts_as_the_owner_and_has_the_settings_of_a_login(secret: Secret, role: str) -> None:
    text = roles_and_databases({secret.name: secret})
    assert f"grant temporal to {role};" in text
    assert f"alter role {role} set role = temporal;" in text
    assert "plan_cache_mode" not in text, "sizing/tables.py decides how statements are planned"
    assert "alter role temporal login" not in text


def test_our_own_login_has_no_password_and_nothing_beyond_what_the_owner_has() -> None:
    """Code of the owner's that ran as this login may have set a password, or settings, for it: both go."""
    lines = roles_and_databases({BLUE.name: BLUE}).splitlines()
    reset = lines.index("alter role temporal_local reset all;")
    assert lines[reset + 1] == "select 'alter role temporal_local set transaction_timeout=0'", (
        "wins over a database's"
    )
    plain = "nosuperuser nocreatedb nocreaterole noreplication nobypassrls;"
    at = lines.index(
        "alter role temporal_local login password null inherit connection limit 8 valid until 'infinity'"
    )
    assert lines[at + 1] == plain
    assert "grant temporal to temporal_local;" in lines
    assert sum(plain in line for line in lines) == 3, "of the owner and of blue as well"


def test_green_does_not_touch_an_owner_that_logs_in_with_blues_password() -> None:
    assert "alter role temporal password" not in roles_and_databases({GREEN.name: GREEN})
    assert "alter role temporal password" in roles_and_databases({BLUE.name: BLUE})


def test_retirement_takes_the_other_login_and_the_owners_own() -> None:
    assert retired_roles(Login.GREEN) == ("temporal", "temporal_blue")
    text = retirement(retired_roles(Login.BLUE))
    assert "alter role temporal nologin password null" in text
    assert "alter role temporal_green nologin password null" in text
    assert "temporal_blue" not in text


@pytest.mark.parametrize("kept", Login)
def test_who_has_come_while_a_login_was_retired_goes_with_it(kept: Login) -> None:
    """After the logins are taken away: who was let in before is there to be ended, and nobody comes later."""
    *taken, ended = retirement(retired_roles(kept)).splitlines()
    assert all("nologin password null" in line and line.endswith("\\gexec") for line in taken)
    names = f"('temporal', '{kept.other.role}')"
    assert ended == f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename in {names};"  # noqa: S608 - names of ours


def test_hosts_lose_the_old_password_before_the_database_and_only_when_nobody_uses_it() -> None:
    cluster, hosts = load(EXAMPLE), FakeHosts({})
    with Fleet(hosts.open, lambda _: None) as fleet:
        assert retire(fleet, cluster, "r1") == {}
    steps = [step for _, step in hosts.asked if step not in ("lock", "belongs")]
    assert steps == ["unused", "forget", "forget", "forget", "sql"]
    assert hosts.asked[-1] == ("db-1", "sql")


def test_who_else_logs_in_is_asked_of_the_database_and_not_guessed() -> None:
    cluster, reader = load(EXAMPLE), role("reader", "temporal", superuser=True)
    hosts = FakeHosts({}, answers={"roles": {"roles": [asdict(one) for one in (*ROLES, reader)]}})
    with Fleet(hosts.open, lambda _: None) as fleet:
        assert others(fleet, cluster) == (Stranger("reader", ("superuser", "member of temporal")),)
    assert hosts.asked == [("db-1", "roles")]


@pytest.mark.parametrize("answer", [{}, {"roles": None}, {"roles": [{"name": "reader"}]}])
def test_an_answer_about_roles_that_makes_no_sense_is_no_answer(answer: dict[str, object]) -> None:
    hosts = FakeHosts({}, answers={"roles": answer})
    with (
        Fleet(hosts.open, lambda _: None) as fleet,
        pytest.raises(UnreachableError, match="makes no sense"),
    ):
        others(fleet, load(EXAMPLE))


def test_a_database_that_can_not_be_asked_leaves_it_open_who_logs_in() -> None:
    hosts = FakeHosts({}, fails={("db-1", "roles")})
    with Fleet(hosts.open, lambda _: None) as fleet, pytest.raises(StepFailedError):
        others(fleet, load(EXAMPLE))


@pytest.mark.parametrize("fails", [("front-1", "belongs"), ("db-1", "unused"), ("front-1", "forget")])
def test_a_failure_leaves_the_old_login_in_the_database(fails: tuple[str, str]) -> None:
    cluster, hosts = load(EXAMPLE), FakeHosts({}, fails={fails})
    with Fleet(hosts.open, lambda _: None) as fleet:
        assert set(retire(fleet, cluster, "r1")) == {fails[0]}
    assert ("db-1", "sql") not in hosts.asked
