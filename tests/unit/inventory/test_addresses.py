"""Addresses with and without a port, as people write them: read, written, and told apart."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory import addresses, validators
from tempo_infra.inventory.addresses import canonical, split_port, with_port
from tempo_infra.inventory.catalogue import built_in
from tempo_infra.inventory.cluster import Host
from tempo_infra.inventory.load import loads
from tempo_infra.ssh.target import Target

TRIO = (Path(__file__).parents[3] / "inventory" / "oslo-trio.yaml").read_text()
READ = [
    ("front", "front", None),
    ("front:22", "front", 22),
    ("203.0.113.1:2222", "203.0.113.1", 2222),
    ("2001:db8::7", "2001:db8::7", None),
    ("::1", "::1", None),
    ("2001:db8::7:2222", "2001:db8::7:2222", None),  # all of it is an address
    ("[2001:db8::7]", "2001:db8::7", None),
    ("[2001:db8::7]:2222", "2001:db8::7", 2222),
    ("::ffff:10.0.0.11", "::ffff:10.0.0.11", None),
    ("[::ffff:10.0.0.11]:22", "::ffff:10.0.0.11", 22),
    ("fe80::1%eth0", "fe80::1%eth0", None),
    ("[fe80::1%enp3s0.100]:22", "fe80::1%enp3s0.100", 22),
]
NOT_READ = [
    *("", ":22", "a:", "a:x", "a:0", "a:65536", "a:123456", "a:b:c", "a:22:22"),
    *("[]", "[]:22", "[a]", "[a]:22", "[10.0.0.1]:22", "[2001:db8::7", "2001:db8::7]", "[2001:db8::7]22"),
    *("2001:db8::zz", "2001:db8:::7", "[::1]:", "[::1]:x", "[[::1]]:22", "1:2:3:4:5:6:7:8:9"),
    *("fe80::1%", "fe80::1%a%b", "fe80::1%$(x)", "fe80::1%" + "a" * 16, "[fe80::1%eth 0]:22"),
]


@pytest.mark.parametrize(("text", "address", "port"), READ)
def test_a_place_is_read_and_written_the_same(text: str, address: str, port: int | None) -> None:
    assert split_port(text) == (address, port)
    assert split_port(with_port(address, port or 1)) == (address, port or 1)
    assert Target("h", address, port or 1, "u", (), Path()).place == with_port(address, port or 1)


@pytest.mark.parametrize("text", NOT_READ)
def test_what_is_no_place_is_refused_everywhere(text: str) -> None:
    with pytest.raises(ValueError, match=r"write HOST|a port is between"):
        split_port(text)
    with pytest.raises(InputError, match="is no host"):
        Host.without_inventory(f"root@{text}", built_in().classes["C-Series"])
    with pytest.raises(ValueError, match="not a jump host"):
        validators.jump(f"ops@{text}")


@pytest.mark.parametrize(("text", "address", "port"), READ)
def test_a_host_without_an_inventory_is_any_of_them(text: str, address: str, port: int | None) -> None:
    for given, user in ((f"root@{text}", "root"), (text, getpass.getuser())):
        ssh = Host.without_inventory(given, built_in().classes["C-Series"]).ssh
        assert (ssh.user, ssh.address, ssh.port) == (user, address, port or 22)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("bastion", "bastion"),
        ("ops@bastion:2222", "ops@bastion:2222"),
        ("2001:db8::7", "[2001:db8::7]"),  # alone, ssh takes it for a host and a port
        ("ops@2001:db8::7", "ops@[2001:db8::7]"),
        ("ops@[2001:db8::7]:2222", "ops@[2001:db8::7]:2222"),
        ("[::ffff:203.0.113.1]", "[::ffff:203.0.113.1]"),
    ],
)
def test_a_jump_host_is_written_as_ssh_takes_it(text: str, taken: str) -> None:
    assert validators.jump(text) == taken
    assert validators.jump(taken) == taken


@pytest.mark.parametrize(
    "text", ["[fe80::1%eth0]", "ops@fe80::1%eth0", "[::]", "[ff02::1]:22", "[::ffff:0.0.0.0]"]
)
def test_a_jump_host_is_one_for_everybody(text: str) -> None:
    with pytest.raises(ValueError, match="not a jump host"):
        validators.jump(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fe80::1%eth0", "the zone %eth0 names an interface of one machine"),
        ("fe80::1%$(x)", "is not an IP address"),
        ("[2001:db8::7]:22", "is not an IP address"),
        ("::ffff:0.0.0.0", "can't be a host's address"),
        ("::ffff:224.0.0.1", "can't be a host's address"),
        ("::", "can't be a host's address"),
    ],
)
def test_an_address_of_the_inventory_is_one_for_everybody(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("$(", r"\$\(")):
        addresses.ssh_address(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::7", "2001:DB8:0:0::7", True),
        ("::ffff:10.0.0.11", "10.0.0.11", True),
        ("::ffff:a00:b", "10.0.0.11", True),
        ("Front", "front", True),
        ("2001:db8::7", "2001:db8::8", False),
        ("fe80::1%eth0", "fe80::1%eth1", False),
    ],
)
def test_the_same_address_in_another_spelling_is_the_same(one: str, other: str, same: bool) -> None:
    assert (canonical(one) == canonical(other)) is same


def test_one_machine_under_two_spellings_is_refused() -> None:
    text = TRIO.replace("203.0.113.11", "2001:db8::7").replace("203.0.113.12", '"2001:DB8:0::7"')
    with pytest.raises(InputError, match="is already front-1's address"):
        loads(text, Path("oslo.yaml"))
    loads(
        TRIO.replace("203.0.113.11", "2001:db8::7").replace("203.0.113.12", '"2001:db8::8"'),
        Path("oslo.yaml"),
    )
