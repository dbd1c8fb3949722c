"""The network of the containers, as the inventory names it or the program chooses it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tempo_infra.errors import InputError
from tempo_infra.inventory.subnets import CANDIDATES, of_host, subnet, used_by
from tests.unit.inventory.texts import cluster, refusal
from tests.unit.sizing.clusters import trio


@pytest.mark.parametrize("text", ["172.30.0.0/24", "10.200.0.0/16", "192.168.7.16/28"])
def test_a_private_network_that_holds_the_containers_is_taken(text: str) -> None:
    assert subnet(text) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("172.30.0.0", "without the length of its prefix, as in 172.30.0.0/24"),
        ("172.30.0.0/255.255.255.0", "without the length of its prefix, as in 172.30.0.0/24"),
        ("172.30.0.7/24", "bits are set beyond its prefix; the network is 172.30.0.0/24"),
        ("172.30.0.0/29", "a prefix of /29; /16 to /28 fits a host's containers"),
        ("10.0.0.0/8", "a prefix of /8; /16 to /28 fits a host's containers"),
        ("100.64.0.0/24", "in no private network"),
        ("203.0.113.0/24", "in no private network"),
        ("fd00::/64", "not an IPv4 network, such as 172.30.0.0/24"),
        ("172.30.0.0/24; x", "not an IPv4 network, such as 172.30.0.0/24"),
        ("", "not an IPv4 network, such as 172.30.0.0/24"),
    ],
)
def test_what_containers_can_not_have_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        subnet(text)


INTERNAL, JUMP = "    internal: 10.0.0.11\n", "ssh: {user: deploy, proxy_jump: 'me@172.29.0.9:2222'}\n"


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        (
            [("hosts:", "subnet: 10.0.0.0/24\nhosts:")],
            "subnet: 10.0.0.11 lies in it (hosts.one.internal, line 14)",
        ),
        (
            [("hosts:", "subnet: 203.0.113.0/24\nhosts:")],
            "subnet: in no private network (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16)",
        ),
        (
            [("ssh: {user: deploy}\n", JUMP), ("hosts:", "subnet: 172.29.0.0/24\nhosts:")],
            "subnet: 172.29.0.9 lies in it (ssh.proxy_jump, line 4)",
        ),
        (
            [("203.0.113.11", "192.168.7.11"), (INTERNAL, f"{INTERNAL}    subnet: 192.168.7.0/28\n")],
            "hosts.one.subnet: 192.168.7.11 lies in it (hosts.one.address, line 12)",
        ),
    ],
)
def test_a_network_in_which_a_host_lies_is_refused_with_both_places(
    pairs: list[tuple[str, str]], says: str
) -> None:
    assert [one.partition(": ")[2] for one in refusal(*pairs)] == [says]


def test_a_hosts_own_comes_first_then_the_clusters_then_a_candidate() -> None:
    of_all = ("hosts:", "subnet: 10.200.0.0/24\nhosts:")
    own = (INTERNAL, f"{INTERNAL}    subnet: 10.201.0.0/24\n")
    for pairs, wanted in (
        ((), CANDIDATES[0]),
        ((of_all,), "10.200.0.0/24"),
        ((of_all, own), "10.201.0.0/24"),
    ):
        found = cluster(*pairs)
        assert of_host(found, found.hosts[0]) == wanted


def test_without_one_that_is_free_another_has_to_be_named() -> None:
    one = trio().hosts[0]
    inside = tuple(replace(one, internal=net.replace(".0/24", ".9")) for net in CANDIDATES)
    with pytest.raises(InputError, match="internal addresses lie in each of"):
        of_host(replace(trio(), hosts=inside), one)


def test_services_in_their_hosts_own_network_need_none_but_the_ui() -> None:
    shared = replace(trio(), network="host")
    assert used_by(shared, shared.host("db-1")) == ()
    assert (
        used_by(shared, shared.host("front-1")) == used_by(trio(), trio().host("db-1")) == ("172.30.0.0/24",)
    )
