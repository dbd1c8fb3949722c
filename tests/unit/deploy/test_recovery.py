"""A lost secrets file is recreated of what all hosts hold, and of nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import pytest

from tempo_infra import components
from tempo_infra.components.component import Reads
from tempo_infra.deploy.fleet import Fleet
from tempo_infra.deploy.recovery import read_passwords, remember
from tempo_infra.errors import StepFailedError, UnreachableError
from tempo_infra.inventory.cluster import Role
from tempo_infra.secrets import Origin
from tests.fakes import FakeHosts
from tests.unit.sizing.clusters import trio

HOSTS = trio().hosts
BLUE, GREEN = "tahK3xu9bei2Oor5Aing", "ooQu7ahv4oPh0Wiech1x"


def sent(value: Any) -> Any:
    """A value as hosts send it: its line ends must arrive."""
    return base64.b64encode(value.encode()).decode() if isinstance(value, str) else value


def fleet(answers: dict[str, Any]) -> Fleet:
    """Hosts that have these folders of secrets."""

    class Session:
        def __init__(self, host: str) -> None:
            self.host = host

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def ping(self) -> None:
            pass

        def call(self, _steps: object, _on_event: Callable[..., None]) -> list[Any]:
            answer = answers[self.host]
            if isinstance(answer, Exception):
                raise answer
            return [{name: sent(one) for name, one in answer.items()} if isinstance(answer, dict) else answer]

    return Fleet(lambda host: Session(host.name), lambda _: None)  # type: ignore[arg-type, return-value]


def all_have(**passwords: str) -> dict[str, Any]:
    """Every host answers with these, by their readers."""
    found = {f"{reader.replace('_', '-')}/db_password": value for reader, value in passwords.items()}
    return {host.name: dict(found) for host in HOSTS}


def test_passwords_have_the_names_of_the_secrets_file() -> None:
    both, green = all_have(temporal=BLUE, temporal_green=GREEN), all_have(temporal_green=GREEN)
    assert read_passwords(fleet(both), HOSTS, "oslo") == {"temporal_db": BLUE, "temporal_db_green": GREEN}
    assert read_passwords(fleet(green), HOSTS, "oslo") == {"temporal_db_green": GREEN}


@pytest.mark.parametrize(
    ("db", "error", "said"),
    [
        ({"temporal/db_password": GREEN}, StepFailedError, "different passwords of temporal_db: db-1"),
        ({"temporal/db_password": 7}, UnreachableError, "makes no sense"),
        ([], UnreachableError, "makes no sense"),
        (UnreachableError("unreachable"), UnreachableError, "unreachable"),
    ],
)
def test_hosts_that_do_not_agree_make_no_file(db: Any, error: type[Exception], said: str) -> None:
    answers = {**all_have(temporal=BLUE), "db-1": db}
    with pytest.raises(error, match=said):
        read_passwords(fleet(answers), HOSTS, "oslo")


PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\n-----END PRIVATE KEY-----\n"


def test_what_a_component_alone_reads_is_kept_as_well_each_host_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    echo = replace(components.of("ui"), reads=(Reads("token"), Reads("key", scope="host", reloaded=True)))
    monkeypatch.setattr(components, "of_roles", lambda roles: (echo,) if "frontend" in roles else ())
    front = next(host.name for host in HOSTS if host.has(Role.FRONTEND))
    answers = all_have(temporal=BLUE)
    answers[front] |= {"ui/token": GREEN, "ui/key": PEM}
    assert read_passwords(fleet(answers), HOSTS, "oslo") == {
        "temporal_db": BLUE,
        "token": GREEN,
        f"key.{front}": PEM,
    }
    alone = {**all_have(), front: {"ui/token": GREEN}}
    with pytest.raises(StepFailedError, match="no host has a password of this cluster"):
        read_passwords(fleet(alone), HOSTS, "oslo")


def test_what_is_no_text_is_refused_by_its_host() -> None:
    for value in ("not base64!", "/w=="):
        answers = all_have(temporal=BLUE)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.unit.deploy.test_recovery.sent", lambda _, value=value: value)
            with pytest.raises(StepFailedError, match="in the place of a secret is none"):
                read_passwords(fleet(answers), HOSTS, "oslo")


def test_hosts_without_any_make_no_file() -> None:
    with pytest.raises(StepFailedError, match="no host has a password of this cluster"):
        read_passwords(fleet(all_have()), HOSTS, "oslo")


def test_another_clusters_host_is_not_asked_for_its_passwords() -> None:
    hosts = FakeHosts({}, fails={("db-1", "belongs")})
    with Fleet(hosts.open, lambda _: None) as one, pytest.raises(StepFailedError):
        read_passwords(one, HOSTS, "oslo")
    assert ("db-1", "passwords") not in hosts.asked


def test_every_host_is_told_of_the_new_file_whatever_it_knew() -> None:
    hosts, made = FakeHosts({}), Origin().next({"temporal_db": BLUE}, {})
    with Fleet(hosts.open, lambda _: None) as one:
        assert remember(one, HOSTS, made) == {}
    assert {name for name, _ in hosts.given} == {host.name for host in HOSTS}
    assert {(step.arguments["digest"], step.arguments["anyway"]) for _, step in hosts.given} == {
        (made.digests[-1], True)
    }
