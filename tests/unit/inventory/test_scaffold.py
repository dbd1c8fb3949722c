"""A first inventory from answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory.load import loads
from tempo_infra.inventory.scaffold import (
    Answers,
    HostAddresses,
    check,
    command,
    layout_of,
    parse_host,
    scaffold,
)

OSLO = Answers("oslo", "NO", "Nordhost", "deploy")
PATH = Path("inventory/bergen.yaml")
HOSTS = {
    "front-1": HostAddresses("front.example.no", "10.1.0.1"),
    "history-1": HostAddresses("fd00::2", "10.1.0.2"),
    "db-1": HostAddresses("203.0.113.3", "10.1.0.3"),
}


def test_the_trio_has_the_answers_in_it() -> None:
    answers = Answers("bergen", "SE", "Sky & Sønn", "ops")
    text = scaffold("trio", answers, HOSTS, PATH)
    found = loads(text, PATH)
    assert (found.name, found.country, found.provider) == ("bergen", "SE", "Sky & Sønn")
    assert {host.name: HostAddresses(host.ssh.address, host.internal) for host in found.hosts} == HOSTS
    assert {host.ssh.user for host in found.hosts} == {"ops"}
    assert "documentation" not in text
    assert text.count("#") > 15


def test_a_single_host_runs_everything() -> None:
    found = loads(scaffold("single", OSLO, {"solo-1": HostAddresses("a", "10.0.0.1")}, PATH), PATH)
    assert len(found.hosts) == 1
    assert found.hosts == found.with_role(found.hosts[0].roles[0])


@pytest.mark.parametrize("value", ["1e3", "0x10", "true", "NO", "12", "a b", "a, b", "Ærlig (test)"])
def test_an_answer_stays_text(value: str) -> None:
    text = scaffold("trio", replace(OSLO, provider=value), HOSTS, PATH)
    assert loads(text, PATH).provider == value


def test_answers_that_contradict_each_other_are_refused() -> None:
    same = {**HOSTS, "db-1": HostAddresses("203.0.113.3", "10.1.0.1")}
    with pytest.raises(InputError, match=r"10\.1\.0\.1 is already front-1's address"):
        scaffold("trio", OSLO, same, PATH)


@pytest.mark.parametrize(
    ("field", "value"), [("cluster", "Oslo"), ("country", "XX"), ("provider", "a\nb"), ("user", "-l")]
)
def test_an_answer_that_can_not_stand_is_refused_by_its_option(field: str, value: str) -> None:
    with pytest.raises(InputError, match=f"^--{field}: "):
        check({field: value})


def test_a_host_option() -> None:
    assert parse_host("db-1=db.example.no,10.0.0.13", "trio") == (
        "db-1",
        HostAddresses("db.example.no", "10.0.0.13"),
    )


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("db-1", "is not understood"),
        ("db-1=a", "is not understood"),
        ("db-1=a,b,c", "is not understood"),
        ("bd-1=a,10.0.0.1", 'unknown host "bd-1" (did you mean "db-1"?)'),
        ("db-1=a,b", '--host db-1: "b" is not an IP address'),
        ("db-1=-a,10.0.0.1", '--host db-1: "-a" is not a host name'),
    ],
)
def test_a_host_option_that_is_wrong(option: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_host(option, "trio")
    assert says in str(caught.value)


def test_the_command_gives_the_same_again() -> None:
    answers = Answers("bergen", "NO", "Sky & Sønn", "kari")
    words = command("trio", answers, HOSTS, PATH)
    assert words[:3] == ["tempo-infra", "init", "trio"]
    options = list(zip(words[3::2], words[4::2], strict=True))
    given = dict(parse_host(value, "trio") for name, value in options if name == "--host")
    assert given == HOSTS
    rest = {name: value for name, value in options if name != "--host"}
    assert rest == {
        "--cluster": "bergen",
        "--provider": "Sky & Sønn",
        "--user": "kari",
        "--output": str(PATH),
    }


def test_a_layout_is_its_example() -> None:
    assert [host.name for host in layout_of("trio").hosts] == ["front-1", "history-1", "db-1"]
