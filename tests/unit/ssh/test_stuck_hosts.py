"""Hosts that take a connection and then do nothing, over real sockets on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from tempo_infra.errors import InputError, UnreachableError
from tempo_infra.inventory.cluster import SshTransport
from tempo_infra.ssh import connect, connection, fan_out, openssh_config, openssh_program, retry, transport
from tempo_infra.ssh.deadline import Watch
from tempo_infra.ssh.target import Target

pytestmark = pytest.mark.thorough


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def rude() -> Iterator[int]:
    """A port that accepts and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                client.close()

        threading.Thread(target=hang_up, daemon=True).start()
        yield server.getsockname()[1]


def target(port: int, transport: SshTransport = SshTransport.PARAMIKO) -> Target:
    return Target("db-1", "127.0.0.1", port, "deploy", (), Path("/nonexistent"), transport=transport)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = {retry.HungUpError: (0.01, 0.01), retry.RefusedError: (0.01,)}
    monkeypatch.setattr(retry, "_PAUSES", pauses)


def run_true(port: int, transport: SshTransport) -> None:
    with connect(target(port, transport)) as there:
        there.run(["true"], deadline_s=5)


BOTH = pytest.mark.parametrize("transport", list(SshTransport))


@BOTH
@pytest.mark.usefixtures("impatient")
def test_a_host_that_hangs_up_is_asked_again_before_it_is_called_unreachable(
    rude: int, transport: SshTransport
) -> None:
    with pytest.raises(
        UnreachableError, match=r"(?s)key exchange to 127\.0\.0\.1:\d+ after 0\..*\(3 tries\)"
    ):
        run_true(rude, transport)


@BOTH
@pytest.mark.usefixtures("impatient")
def test_a_closed_port_is_tried_a_second_time(transport: SshTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnreachableError, match=r"unreachable: connect to .* refused \(2 tries\)"):
        run_true(port, transport)


@BOTH
def test_a_silent_host_ends_at_its_deadline(
    silent: int, transport: SshTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_S", 0.5)
    monkeypatch.setattr(openssh_program, "LOGIN_S", 0.5)
    with pytest.raises(UnreachableError, match=r"db-1: unreachable: key exchange to .* after 0\.[5-9] s"):
        run_true(silent, transport)


def test_sshs_own_deadline_is_the_one_for_connecting(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """ConnectTimeout covers the host's banner."""
    short = openssh_config.POLICY.replace("ConnectTimeout 10", "ConnectTimeout 1")
    monkeypatch.setattr(openssh_config, "POLICY", short)
    with pytest.raises(UnreachableError, match="banner exchange"):
        run_true(silent, SshTransport.OPENSSH)


def test_without_the_program_ssh_its_transport_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(InputError, match="apt-get install openssh-client"):
        run_true(1, SshTransport.OPENSSH)


def test_a_named_key_that_others_can_read_is_refused_before_ssh_is_run(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("x")
    key.chmod(0o640)
    where = Target(
        "db-1", "127.0.0.1", 1, "deploy", (key,), tmp_path / "known", transport=SshTransport.OPENSSH
    )
    with pytest.raises(InputError, match="can be read by others"), connect(where):
        pass


def test_a_host_that_hangs_up_is_unreachable_in_the_key_exchange(rude: int) -> None:
    with pytest.raises(
        UnreachableError, match=r"db-1: unreachable: key exchange to 127\.0\.0\.1:\d+ after 0\."
    ):
        connection.handshake(target(rude))


def test_a_closed_port_is_unreachable_at_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnreachableError, match=r"unreachable: connect to .* refused"):
        connection.handshake(target(port))


def test_a_silent_host_ends_at_its_deadline_while_others_go_on(
    silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_S", 0.5)

    def work(port: int) -> str:
        if port == 0:
            return "fine"
        return str(connection.handshake(target(port)))

    answers = fan_out(work, [silent, 0])
    assert answers[0] == "fine"
    assert isinstance(answers[silent], UnreachableError)
    assert "key exchange" in str(answers[silent])


def test_a_host_that_is_gone_after_the_key_exchange_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """paramiko raises "No existing session" then."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        monkeypatch.setattr(connection, "handshake", lambda *_: paramiko.Transport(ours))
        with pytest.raises(UnreachableError, match=r"key exchange to 127\.0\.0\.1:1: No existing session"):
            run_true(1, SshTransport.PARAMIKO)


@pytest.mark.parametrize(
    "error", [EOFError(), paramiko.SSHException("Key-exchange timed out"), OSError("reset")]
)
def test_a_link_that_is_found_dead_by_whoever_writes_first_is_a_host_out_of_reach(error: Exception) -> None:
    """The library's own reader has not seen it yet: after this program stood still, or the network did."""

    class Dead:
        def settimeout(self, _: float) -> None: ...

        def sendall(self, _: bytes) -> None:
            raise error

    dead: Any = Dead()
    with pytest.raises(UnreachableError, match="sending failed"):
        process(dead).send(b"x", deadline_s=1)


def process(channel: Any) -> connection.ChannelProcess:
    return connection.ChannelProcess(channel, "db-1", Watch(lambda: None))


class Asleep:
    """A channel to which something has come while this program stood still: its thread has yet to take it."""

    def __init__(self, words: bytes) -> None:
        self._words, self._waits_s = words, 0.0

    closed = eof_received = False

    def recv_ready(self) -> bool:
        return False

    recv_stderr_ready = recv_ready

    def settimeout(self, seconds: float) -> None:
        self._waits_s = seconds

    def recv(self, _: int) -> bytes:
        if not self._words or self._waits_s < transport.LATE_S:
            raise TimeoutError
        return self._words


def test_what_came_while_the_program_stood_still_is_read_though_its_deadline_is_past() -> None:
    channel: Any = Asleep(b"done\n")
    assert process(channel).read_line(deadline_s=0.0) == b"done\n"


def test_nothing_having_come_meanwhile_is_silence() -> None:
    channel: Any = Asleep(b"")
    with pytest.raises(UnreachableError, match="no answer for 0 s"):
        process(channel).read_line(deadline_s=0.0)
