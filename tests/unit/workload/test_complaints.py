# ruff: noqa: E501 - words as the SDK has them
"""What the SDK says of a frontend, for people: its own words without Rust's, and a remedy that follows from them."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tempo_infra.on_host import remedies
from tempo_infra.workload.complaints import BEHIND_IT, FRONTEND, IS_IT_UP, complaint

PROGRAM = Path(sys.executable).with_name("tempo-infra")
CONNECT = "Failed client connect: Server connection error: tonic::transport::Error(Transport, ConnectError("
CALL = "Failed client connect: `get_system_info` call error after connection: Status { code: "


@pytest.mark.parametrize(
    ("words", "shown", "todo"),
    [
        (
            CONNECT + 'ConnectError("tcp connect error", 127.0.0.1:1, Os { code: 111, kind: ConnectionRefused, '
            'message: "Connection refused" })))',
            "Connection refused",
            IS_IT_UP,
        ),
        (
            CONNECT + 'ConnectError("dns error", Custom { kind: Uncategorized, error: "failed to lookup address '
            'information: Name or service not known" })))',
            "failed to lookup address information: Name or service not known",
            "its name has no address",
        ),
        (CALL + 'Internal, message: "h2 protocol error: http2 error", source: None }', "h2 protocol error: http2 error", "no Temporal frontend"),
        (CALL + 'PermissionDenied, message: "permission denied" }', "permission denied", "wants a login"),
        (CALL + 'Unknown, message: "\\u{1b}[2J" }', "\\u{1b}[2J", IS_IT_UP),
        ("\x1b[31mWARN\x1b[0m nothing quoted", "WARN nothing quoted", IS_IT_UP),
        ("", "", IS_IT_UP),
    ],
)  # fmt: skip
def test_the_words_that_count_are_shown_and_decide(words: str, shown: str, todo: str) -> None:
    told = complaint(RuntimeError(words))
    assert told == shown
    assert todo in remedies.remedy(FRONTEND, told, IS_IT_UP)


@pytest.mark.parametrize(
    ("words", "todo"),
    [
        ("UNAVAILABLE: connection refused", "history and matching"),
        ("DEADLINE_EXCEEDED: context deadline exceeded", "history and matching"),
        ("UNAVAILABLE: pq: the database system is shutting down", "its database"),
        ("PERMISSION_DENIED: Request unauthorized.", "wants a login"),
        ("RESOURCE_EXHAUSTED: namespace rate limit exceeded", "frontend.namespaceRPS"),
        ("UNIMPLEMENTED: unknown method", "too old"),
        ("SOMETHING_NEW: x", ""),
    ],
)
def test_what_is_behind_a_frontend_has_its_own_remedies(words: str, todo: str) -> None:
    found = remedies.remedy(BEHIND_IT, words)
    assert (todo in found) if todo else (found == "")


@pytest.fixture
def rude() -> Iterator[str]:
    """A port that takes a connection, writes colours on it and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.sendall(b"\x1b[31mHTTP/1.1 400 no\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.thorough
def test_no_line_and_no_colour_of_the_sdks_own_reaches_anybody(rude: str, tmp_path: Path) -> None:
    words = [str(PROGRAM), "smoke", "--address", rude]
    ran = subprocess.run(words, capture_output=True, check=False, cwd=tmp_path, timeout=60)
    assert ran.returncode == 3
    shown = (ran.stdout + ran.stderr).decode()
    assert "\x1b" not in shown
    assert "WARN" not in shown
    assert f"no Temporal frontend answers at {rude}: " in shown
    assert len(shown.splitlines()) <= 4
