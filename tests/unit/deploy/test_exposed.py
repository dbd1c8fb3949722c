"""Which ports answer on the address that ssh uses, over real sockets on loopback."""

from __future__ import annotations

import socket

from tempo_infra.deploy.facts import exposed_at


def test_open_ports_are_named_in_order_and_closed_ones_are_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        opened = sorted(server.getsockname()[1] for server in (one, two))
        with socket.create_server(("127.0.0.1", 0)) as gone:
            closed = gone.getsockname()[1]
        found = exposed_at("127.0.0.1", "10.0.0.11", {opened[1], closed, opened[0]})
    assert found.value == tuple(opened)


def test_nothing_is_exposed_where_ssh_uses_the_internal_address_or_no_port_is_known() -> None:
    assert exposed_at("127.0.0.1", "10.0.0.11", ()).not_wanted
    assert exposed_at("127.0.0.1", "127.0.0.1", {1}).not_wanted


def test_nobody_is_knocked_at_in_place_of_a_host_behind_another_one() -> None:
    assert exposed_at(None, "10.0.0.11", {1}).not_wanted
