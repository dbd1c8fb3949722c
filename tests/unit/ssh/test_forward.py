"""A port that leads through a host: what the host refuses is the error, not what somebody saw at our end."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest

import tempo_infra.ssh.forward  # noqa: F401 - the module, which the package's function hides
from tempo_infra.errors import StepFailedError, UnreachableError
from tempo_infra.inventory.cluster import Ssh
from tempo_infra.ssh import NoWayError
from tempo_infra.ssh.connection import LibraryConnection
from tempo_infra.ssh.openssh_log import Log
from tempo_infra.ssh.reasons import no_way, unreachable
from tempo_infra.ssh.target import Target, resolve

MODULE = __import__("sys").modules["tempo_infra.ssh.forward"]
SSH = Ssh("192.0.2.7", "deploy", 22, (), Path("/nowhere"))
HOST = SimpleNamespace(name="front-1", ssh=SSH)
FRONTEND = ("10.0.0.11", 7233)
NO_FORWARDING = paramiko.ChannelException(1, "Administratively prohibited")
JUMP_REFUSED = (
    "channel 0: open failed: administratively prohibited: open failed; stdio forwarding failed; "
    "Connection closed by UNKNOWN port 65535"
)
NOBODY_THERE = paramiko.ChannelException(2, "Connect failed")


class Server:
    """Answers each channel with the next of these: an error, or a socket whose other end talks."""

    def __init__(self, *answers: Exception | None) -> None:
        self._answers = list(answers)

    def open_channel(self, *_: object, **__: object) -> socket.socket:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is not None:
            raise answer
        ours, theirs = socket.socketpair()
        theirs.sendall(b"hello")
        theirs.close()
        return ours

    def close(self) -> None: ...


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(*answers: Exception | None) -> Any:
        @contextlib.contextmanager
        def connect(target: Target) -> Iterator[LibraryConnection]:
            yield LibraryConnection(Server(*answers), target)  # type: ignore[arg-type]

        monkeypatch.setattr(MODULE, "connect", connect)
        return MODULE.forward(HOST, FRONTEND)

    return use


def asked(port: int, error: Exception | None = None) -> bytes:
    """What came; `error` is what somebody makes of it."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.settimeout(5)
        came = connection.recv(100)
    if error:
        raise error
    return came


@pytest.mark.parametrize(
    ("refusal", "words", "todo"),
    [
        (NO_FORWARDING, "administratively prohibited", "AllowTcpForwarding or PermitOpen"),
        (NOBODY_THERE, "connect failed", "nobody listens there, as seen from that host"),
        (paramiko.ChannelException(4, "Resource shortage"), "resource shortage", "MaxSessions"),
        (paramiko.SSHException("Timeout opening channel."), "Timeout opening channel.", "no way there"),
    ],
)
def test_a_refusal_is_the_hosts_own_error_in_place_of_what_was_seen_here(
    through: Any, refusal: Exception, words: str, todo: str
) -> None:
    with pytest.raises(NoWayError) as caught, through(refusal) as port:
        asked(port, UnreachableError(f"no frontend at 127.0.0.1:{port}"))
    assert caught.value.host == "front-1"
    assert caught.value.what == f"no way through its ssh to 10.0.0.11:7233: {words}"
    assert todo in caught.value.remedy


def test_who_came_through_before_it_failed_keeps_its_own_error(through: Any) -> None:
    with pytest.raises(UnreachableError, match="it is slow"), through(NO_FORWARDING, None) as port:  # noqa: PT012 - in order
        assert asked(port) == b""
        asked(port, UnreachableError("it is slow"))


def test_another_kind_of_failure_is_not_covered_up(through: Any) -> None:
    with pytest.raises(StepFailedError, match="the bank"), through(NO_FORWARDING) as port:
        asked(port, StepFailedError("the bank was closed"))


@pytest.mark.parametrize(
    ("said", "todo"),
    [
        ("connect to host 192.0.2.7 port 22: Connection refused", "is sshd running"),
        ("[Errno 111] Connection refused", "is sshd running"),
        ("[Errno 113] No route to host", "no way there from this machine"),
        ("timed out", "is the machine on"),
        ("connect to host 192.0.2.7 port 22: Connection timed out", "is the machine on"),
        ("[Errno -2] Name or service not known", "its name has no address"),
        ("Could not resolve hostname db-1: Temporary failure in name resolution", "its name has no address"),
        ("Error reading SSH protocol banner", "is no sshd"),
        ("kex_exchange_identification: Connection closed by remote host", "is no sshd"),
        ("Incompatible ssh peer (no acceptable host key)", "no method in common"),
        ("Unable to negotiate with 192.0.2.7 port 22: no matching key exchange method found.", "no method"),
        (JUMP_REFUSED, "the jump host refuses to forward"),
        ("Bad owner or permissions on /root/.ssh/config", "its configuration"),
        ("/root/.ssh/config: line 3: Bad configuration option: foo", "its configuration"),
        ("the host closed the connection", "journalctl -u ssh"),
        ("Connection reset by 192.0.2.7 port 22", "journalctl -u ssh"),
        ("something new", ""),
    ],
)  # fmt: skip
def test_no_way_to_a_host_has_a_remedy_by_what_was_said(said: str, todo: str) -> None:
    error = unreachable("db-1", "connect to 192.0.2.7:22 after 0.1 s", said)
    assert error.what == f"unreachable: connect to 192.0.2.7:22 after 0.1 s: {said}"
    assert (todo in error.remedy) if todo else (error.remedy == "")


def test_what_openssh_says_of_a_way_is_read_from_its_log() -> None:
    refused = (
        "channel 0: open failed: administratively prohibited: open failed\r\nstdio forwarding failed\r\n"
    )
    assert Log(refused).way_refused
    assert not Log(refused).way_open
    assert Log("debug2: channel 0: open confirm rwindow 2097152 rmax 32768\r\n").way_open
    assert not Log("debug1: a banner: debug2: channel 0: open confirm\r\n").way_open
    assert "AllowTcpForwarding" in no_way("front-1", "10.0.0.11:7233", Log(refused).words).remedy


MORE = """debug1: Authentications that can continue: publickey\r
Authenticated using "publickey" with partial success.\r
debug1: Authentications that can continue: keyboard-interactive\r
deploy@192.0.2.7: Permission denied (keyboard-interactive).\r
"""


def test_a_login_that_wants_more_than_a_key_is_not_told_to_bring_its_key() -> None:
    target = resolve("db-1", SSH, Path("/nowhere"))
    assert Log(MORE).methods == ["keyboard-interactive"]
    assert Log(MORE).key_taken
    assert not Log("deploy@192.0.2.7: Permission denied (publickey).\r\n").key_taken
    assert "by the key alone" in target.wants_more(["keyboard-interactive"]).remedy
    assert target.takes_no_key(["password"]).what.endswith("no key is taken, only password")
    assert "authorized_keys" in target.refused([]).remedy
