"""Which ports answer on the address that ssh uses, over real sockets on loopback."""

from __future__ import annotations

import socket
from dataclasses import replace

from tempo_infra.deploy.facts import _exposed
from tempo_infra.inventory.catalogue import built_in
from tempo_infra.inventory.cluster import Host

HOST = Host.without_inventory("root@127.0.0.1", built_in().classes["C-Series"])


def test_open_ports_are_named_in_order_and_closed_ones_are_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        opened = sorted(server.getsockname()[1] for server in (one, two))
        with socket.create_server(("127.0.0.1", 0)) as gone:
            closed = gone.getsockname()[1]
        found = _exposed(HOST, {opened[1], closed, opened[0]})
    assert found.value == tuple(opened)


def test_nothing_is_exposed_where_ssh_uses_the_internal_address_or_no_port_is_known() -> None:
    assert _exposed(HOST, ()).not_wanted
    assert _exposed(replace(HOST, internal="127.0.0.1"), {1}).not_wanted
