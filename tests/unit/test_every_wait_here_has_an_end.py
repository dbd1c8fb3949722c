"""On this machine, too, what waits for another is in few places: each module that may call it is named.

The hosts' side has its own: tests/unit/on_host/test_every_wait_has_an_end.py.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import tempo_infra
from tests.unit.source import nodes

PACKAGE = Path(tempo_infra.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "on_host" not in path.relative_to(PACKAGE).parts)
LIBRARY, PROGRAMS, RELAY = "ssh/connection.py", {"ssh/openssh.py", "ssh/openssh_program.py"}, "ssh/forward.py"
# What waits, and begins again with each piece or has no end of its own: who may call it, and why it ends.
MAY = {
    # The watch of a connection cuts it at the deadline.
    "exec_command": {LIBRARY},
    "open_session": {LIBRARY},
    "open_channel": {LIBRARY},
    "auth_publickey": {LIBRARY},
    "start_client": {LIBRARY},
    "shutdown_write": {LIBRARY},
    "recv_exit_status": {LIBRARY},
    "recv_stderr": {LIBRARY},
    "do_handshake": {"ssh/registry.py"},
    "getresponse": {"ssh/registry.py"},
    "request": {"ssh/registry.py"},
    # One deadline, asked before each piece; a relay's threads are waited for by nobody.
    "recv": {LIBRARY, "ssh/agent.py", RELAY},
    "sendall": {LIBRARY, "ssh/agent.py", RELAY},
    "accept": {RELAY},
    "connect": {
        "ssh/agent.py", "ssh/dial.py",
        "workload/smoke.py", "workload/worker.py", "workload/ledger.py",  # `asyncio.timeout`; sqlite's own
    },
    "getaddrinfo": {"ssh/dial.py"},
    "Popen": {"ssh/openssh_program.py", "workload/processes.py"},
    "communicate": set[str](),
}  # fmt: skip
# These have no end, or an end for each address, whatever they are given.
NEVER = {
    "create_connection", "gethostbyname", "gethostbyaddr", "getfqdn", "urlopen", "makefile", "recv_into",
    "check_output", "check_call", "getoutput", "system", "popen", "invoke_subsystem", "invoke_shell",
    "open_sftp", "global_request", "renegotiate_keys", "request_port_forward", "sendall_stderr",
    "getstatusoutput", "get_agent_connection", "Agent",
}  # fmt: skip
# With a time, or in a thread that nobody waits for.
TIMED = {"wait", "join", "result", "select", "acquire"}


def every_call() -> Iterator[tuple[Path, ast.Call]]:
    return ((path, node) for path in MODULES for node in nodes(path) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_what_waits_for_another_is_called_where_it_has_an_end() -> None:
    for path, call in every_call():
        what, where = called(call), f"{name_of(path)}:{call.lineno}"
        assert what not in NEVER, f"{where}: {what}"
        if isinstance(call.func, ast.Attribute):  # a function of ours may have the same name
            assert name_of(path) in MAY.get(what, {name_of(path)}), f"{where}: {what}"


UNTIMED = {
    ("deploy/fleet.py", "result"),  # a login, which has its end
    ("deploy/fleet.py", "wait"),  # logins
    ("workload/renewals.py", "result"),  # within the whole run's `asyncio.timeout`
    (RELAY, "select"),  # in a thread that nobody waits for
}


def test_who_waits_says_for_how_long() -> None:
    for path, call in every_call():
        if called(call) not in TIMED or not isinstance(call.func, ast.Attribute | ast.Name):
            continue
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Constant):
            continue  # ", ".join
        least = {"select": 4 if ast.unparse(call.func) == "select.select" else 1}.get(called(call), 1)
        timed = len(call.args) >= least or any(one.arg in ("timeout", "blocking") for one in call.keywords)
        if called(call) == "wait" and isinstance(call.func, ast.Name):
            timed = any(one.arg == "timeout" for one in call.keywords)
        assert timed or (name_of(path), called(call)) in UNTIMED, f"{name_of(path)}:{call.lineno}"


def test_every_exception_is_still_one() -> None:
    found = {(name_of(path), called(call)) for path, call in every_call()}
    assert {(where, what) for what, places in MAY.items() for where in places} - found == set()
    assert UNTIMED - found == set()
