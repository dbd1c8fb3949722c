"""What keeps waits finite is no habit but one place: sockets in `exchange`, programs in `shell`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tempo_infra.on_host import exchange
from tests.unit.source import nodes

ROOM = Path(exchange.__file__).parent
MODULES = sorted(ROOM.rglob("*.py"))
# Libraries whose waits begin again with every byte, or have no end at all.
WITHOUT_END = {"http", "urllib", "ssl", "asyncio", "ftplib", "telnetlib", "socketserver", "multiprocessing"}
OF_SOCKETS = {
    "recv", "recv_into", "recvfrom", "sendall", "sendto", "makefile", "accept", "create_connection",
    "gethostbyname", "gethostbyaddr", "getfqdn",
}  # fmt: skip
# connect_ex is one question with one timeout, and is timed; a name is looked up by a child with a deadline.
ELSEWHERE = {("probes/network.py", "connect_ex"), ("probes/network.py", "getaddrinfo")}
OF_PROGRAMS = {"Popen", "check_output", "check_call", "getoutput", "system", "popen", "spawnv", "posix_spawn"}


def calls() -> Iterator[tuple[str, str, int]]:
    for path in MODULES:
        for node in nodes(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield str(path.relative_to(ROOM)), node.func.attr, node.lineno


def test_sockets_and_programs_are_waited_for_in_one_place() -> None:
    for name, called, line in calls():
        assert called not in OF_SOCKETS or name == "exchange.py", f"{name}:{line}: {called}"
        if called in ("connect_ex", "getaddrinfo"):
            assert (name, called) in ELSEWHERE, f"{name}:{line}: {called}"
        assert called not in OF_PROGRAMS or name == "shell.py", f"{name}:{line}: {called}"
        assert called != "fork" or name == "child.py", f"{name}:{line}: {called}"


def test_no_library_is_used_that_can_not_be_given_a_deadline() -> None:
    found = set()
    for path in MODULES:
        for node in nodes(path):
            if isinstance(node, ast.Import):
                found |= {(path, alias.name.partition(".")[0]) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add((path, node.module.partition(".")[0]))
    # A TLS socket counts its timeout over a whole handshake or record; `exchange` alone sets it.
    ours = {(ROOM / "exchange.py", "ssl")}
    assert {(path, name) for path, name in found if name in WITHOUT_END} == ours
