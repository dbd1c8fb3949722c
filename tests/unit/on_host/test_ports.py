from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tempo_infra.on_host.network_addresses import addresses
from tempo_infra.on_host.ports import Holder, taken

FIB = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.99.0.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.99.0.19
        /32 host LOCAL
     |-- 10.99.9.9
        /32 host LOCAL
     |-- 10.99.9.255
        /32 link BROADCAST
     |-- 127.0.0.0
        /8 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
"""


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::"])
def listening(request: pytest.FixtureRequest) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((request.param, 0))
        server.listen()
        yield server.getsockname()[1]


def test_who_listens_is_named(listening: int) -> None:
    found = taken([f"127.0.0.1:{listening}"])
    assert found[f"127.0.0.1:{listening}"].name.endswith(f"(pid {os.getpid()})")


def test_a_free_port_and_another_address_are_not_taken() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert taken([f"127.0.0.2:{port}"]) == {}
    assert taken([f"127.0.0.1:{port}"]) == {}


def test_second_addresses_count_and_broadcasts_do_not(tmp_path: Path) -> None:
    (tmp_path / "fib").write_text(FIB)
    assert addresses(tmp_path / "fib") == ["10.99.0.19", "10.99.9.9", "127.0.0.1"]
    assert addresses(tmp_path / "none") == []


def test_this_machine_has_a_loopback_address() -> None:
    assert "127.0.0.1" in addresses()


def test_a_container_on_the_hosts_own_network_is_told_from_a_stranger(tmp_path: Path) -> None:
    """A played /proc: port 7233 is held by a process in a container, 80 by one outside."""
    (tmp_path / "net").mkdir()
    row = "   0: 0B00630A:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 {inode} 1"
    lines = [row.format(port=7233, inode=71), row.format(port=80, inode=72)]
    (tmp_path / "net/tcp").write_text("\n".join(["  sl  local_address", *lines]) + "\n")
    container = "ab" * 32
    for pid, inode, name, group in (
        (31, 71, "temporal-server", f"/docker/{container}"),
        (32, 72, "nginx", "/"),
    ):
        (tmp_path / f"{pid}/fd").mkdir(parents=True)
        (tmp_path / f"{pid}/fd/5").symlink_to(f"socket:[{inode}]")
        (tmp_path / f"{pid}/stat").write_text(f"{pid} ({name}) S 1 {'0 ' * 17}900 0\n")
        (tmp_path / f"{pid}/cgroup").write_text(f"0::{group}\n")
    assert taken(["10.99.0.11:7233", "10.99.0.11:80", "10.99.0.11:81"], tmp_path) == {
        "10.99.0.11:7233": Holder("temporal-server (pid 31)", container),
        "10.99.0.11:80": Holder("nginx (pid 32)", ""),
    }
