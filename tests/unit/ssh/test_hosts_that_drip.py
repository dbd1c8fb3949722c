"""Hosts that log a caller in and then answer nothing, take nothing, or a byte now and then: every call ends.

Real sockets and paramiko's own server: what is wrong is done by the server, not by a stand-in here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import cMSG_CHANNEL_WINDOW_ADJUST

from tempo_infra.errors import UnreachableError
from tempo_infra.ssh import connection as library
from tempo_infra.ssh import openssh_program, retry
from tempo_infra.ssh.connection import LibraryConnection
from tempo_infra.ssh.openssh import PipeProcess
from tempo_infra.ssh.target import Target
from tempo_infra.ssh.transport import Process
from tests.unit.ssh.servers import new_key

pytestmark = pytest.mark.thorough

SHORT_S = 0.3
GIVES_UP_S = 20.0  # of a test: a call that is not back by then never is
DEED_S = 1.0  # after a program has been started, its host does its deed
EVER = threading.Event()  # never set
Deed = Callable[[paramiko.Transport, Any], None]


def outcome(call: Callable[[], object]) -> BaseException | object:
    """Return what a call returned or raised; fails when it does not end."""
    ends: list[BaseException | object] = []

    def work() -> None:
        try:
            ends.append(call())
        except BaseException as error:  # noqa: BLE001 - is looked at by the test
            ends.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(GIVES_UP_S)
    assert ends, "it does not end"
    return ends[0]


class Rules(paramiko.ServerInterface):
    """Lets everybody in; a program that is started does one deed."""

    def __init__(self, transport: paramiko.Transport, deed: Deed, *, answers: bool, lets_in: bool) -> None:
        self._transport, self._deed, self._answers, self._lets_in = transport, deed, answers, lets_in

    def get_allowed_auths(self, _: str) -> str:
        return "publickey"

    def check_auth_publickey(self, *_: object) -> int:
        if not self._lets_in:
            EVER.wait(GIVES_UP_S)
        return paramiko.common.AUTH_SUCCESSFUL

    def check_channel_request(self, *_: object) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, _: bytes) -> bool:
        if not self._answers:
            EVER.wait(GIVES_UP_S)
        threading.Thread(target=self._do, args=(channel,), daemon=True).start()
        return True

    def _do(self, channel: paramiko.Channel) -> None:
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            time.sleep(DEED_S)  # the start is answered first
            self._deed(self._transport, channel)


class Host:
    """A host that a caller is connected to over a pair of sockets."""

    def __init__(self, folder: Path) -> None:
        self.key = new_key(folder / "key")
        self._stack = contextlib.ExitStack()

    def transport(self, deed: Deed, **how: bool) -> paramiko.Transport:
        ours, theirs = socket.socketpair()
        for one in (ours, theirs):
            self._stack.callback(one.close)
        server = paramiko.Transport(theirs, default_window_size=32768)
        server.add_server_key(self.key)
        rules = Rules(server, deed, **{"answers": True, "lets_in": True, **how})
        server.start_server(threading.Event(), rules)
        client = paramiko.Transport(ours)
        client.start_client(timeout=GIVES_UP_S)
        self._stack.callback(client.close)
        return client

    def connection(self, deed: Deed, **how: bool) -> LibraryConnection:
        client = self.transport(deed, **how)
        client.auth_publickey("deploy", self.key)
        target = Target("db-1", "127.0.0.1", 22, "deploy", (), Path("/nonexistent"))
        return LibraryConnection(client, target)

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.close()


def nothing(_: paramiko.Transport, __: paramiko.Channel) -> None:
    """Take nothing, say nothing; one's window stays as it is."""


def a_byte_of_room(server: paramiko.Transport, channel: Any) -> None:
    while True:
        _room(server, channel, 1)
        time.sleep(0.05)


def _room(server: Any, channel: Any, count: int) -> None:
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_WINDOW_ADJUST)
    message.add_int(channel.remote_chanid)
    message.add_int(count)
    server._send_user_message(message)


def dots(_: paramiko.Transport, channel: paramiko.Channel) -> None:
    while True:
        channel.sendall_stderr(b".")
        time.sleep(0.05)


def letters(_: paramiko.Transport, channel: paramiko.Channel) -> None:
    while True:
        channel.sendall(b"x")
        time.sleep(0.05)


def room_and_reads_no_more(server: Any, channel: Any) -> None:
    """Let the caller send much, and leave it in the socket, which takes no more soon."""
    server.packetizer.read_message = lambda: EVER.wait(GIVES_UP_S)
    _room(server, channel, 1 << 28)


def new_keys_and_no_more(server: Any, _: object) -> None:
    """Begin to change the keys: nobody may send meanwhile; and go no further."""
    server.packetizer.read_message = lambda: EVER.wait(GIVES_UP_S)
    server._send_kex_init()


def test_a_program_whose_start_is_not_answered_is_given_up(host: Host) -> None:
    connection = host.connection(nothing, answers=False)
    error = outcome(lambda: connection.start(["true"], deadline_s=SHORT_S))
    assert isinstance(error, UnreachableError)
    assert error.what == "unreachable: starting a command: not done within 0.3 s"


@pytest.mark.parametrize("deed", [nothing, a_byte_of_room, room_and_reads_no_more, new_keys_and_no_more])
def test_what_is_sent_has_one_end_however_it_is_taken(host: Host, deed: Deed) -> None:
    process = host.connection(deed).start(["cat"])
    time.sleep(2 * DEED_S)
    error = outcome(lambda: process.send(bytes(1 << 25), deadline_s=SHORT_S))
    assert isinstance(error, UnreachableError)
    assert error.what.startswith("sending failed: ")
    assert outcome(process.close_stdin) is None
    assert outcome(process.close) is None


ASKS: dict[str, Callable[[Process], object]] = {
    "asked": lambda process: process.asked(b"[prompt]", times=1, unless=b"hello", deadline_s=SHORT_S),
    "finish": lambda process: process.finish(deadline_s=SHORT_S),
    "line": lambda process: process.read_line(deadline_s=SHORT_S),
    "exact": lambda process: process.read_exact(1 << 20, deadline_s=SHORT_S),
}
IN_TIME = r"no answer for 0\.3 s|not done within 0\.3 s"


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("deed", [dots, letters])
def test_what_is_read_has_one_end_however_it_drips(host: Host, ask: str, deed: Deed) -> None:
    process = host.connection(deed).start(["true"])
    time.sleep(2 * DEED_S)
    error = outcome(lambda: ASKS[ask](process))
    assert isinstance(error, UnreachableError)
    assert pytest.approx(0.3) == float(error.what.split()[-2])


def test_who_takes_much_and_may_not_say_so_is_not_held(host: Host) -> None:
    """Reading tells the host that there is room again: that is a write, to one that changes keys for ever."""

    def floods(server: Any, channel: Any) -> None:
        channel.sendall(bytes(1 << 20))
        new_keys_and_no_more(server, channel)

    process = host.connection(floods).start(["true"])
    time.sleep(2 * DEED_S)
    assert isinstance(outcome(lambda: process.read_exact(1 << 24, deadline_s=SHORT_S)), UnreachableError)


def test_a_goodbye_to_who_takes_none_has_its_end(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "CLOSE_S", SHORT_S)
    connection = host.connection(new_keys_and_no_more)
    process = connection.start(["cat"])
    time.sleep(2 * DEED_S)
    for call in (process.close_stdin, process.close, connection.close):
        assert outcome(call) is None


def test_a_login_has_one_end_for_all_of_its_keys(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "LOGIN_S", SHORT_S)
    known = tmp_path / "known_hosts"
    known.write_text(f"127.0.0.1 {host.key.get_name()} {host.key.get_base64()}\n")
    target = Target("db-1", "127.0.0.1", 22, "deploy", (), known)
    connection = LibraryConnection(host.transport(nothing, lets_in=False), target)
    error = outcome(lambda: connection.log_in([host.key] * 5))
    assert isinstance(error, UnreachableError)
    assert error.what.startswith("unreachable: login as deploy after ")
    assert "timeout" in error.what


def test_who_stood_still_is_not_cut_off_by_one_look(host: Host) -> None:
    """A watch that has slept through a call's end looks once more: the call may just have slept as well."""
    connection = host.connection(nothing)
    with connection._watch.within(0.0):
        time.sleep(0.1)
    assert connection.start(["true"]).ended is False


def test_nobody_knocks_for_ever_at_who_takes_his_time_to_hang_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "RETRY_S", -1.0)

    def hangs_up() -> None:
        raise retry.HungUpError("hung up")

    with pytest.raises(UnreachableError, match=r"\(1 tries\)"):
        retry.retried("here", hangs_up)


class Stand:
    """A program in place of `ssh`."""

    def __init__(self, code: str) -> None:
        words = [sys.executable, "-uc", code]
        self.popen = subprocess.Popen(words, stdin=-1, stdout=-1, stderr=-1, bufsize=0)

    def close(self) -> None:
        self.popen.kill()
        self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            assert stream
            stream.close()


@contextlib.contextmanager
def piped(code: str) -> Iterator[PipeProcess]:
    """Yield a program behind pipes, as `ssh` is."""
    stand: Any = Stand(code)
    with contextlib.closing(PipeProcess(stand, "db-1")) as process:
        yield process


DRIPS = "import os, time\nwhile True: os.write({}, b'.'); time.sleep(0.05)"


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("stream", [1, 2])
def test_so_it_is_through_the_systems_ssh(ask: str, stream: int) -> None:
    with piped(DRIPS.format(stream)) as process:
        error = outcome(lambda: ASKS[ask](process))
    assert isinstance(error, UnreachableError)
    assert pytest.approx(0.3) == float(error.what.split()[-2])


def test_a_pipe_that_takes_a_little_now_and_then_does_not_put_the_end_off() -> None:
    takes = "import os, time\nwhile True: os.read(0, 4096); time.sleep(0.01)"
    with piped(takes) as process:
        error = outcome(lambda: process.send(bytes(1 << 25), deadline_s=SHORT_S))
    assert isinstance(error, UnreachableError)
    assert error.what == "no answer for 0.3 s"


def test_a_program_that_ssh_has_left_behind_holds_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has ssh's standard error open: what ssh has said is read without waiting for its end."""
    monkeypatch.setattr(openssh_program, "END_S", SHORT_S)
    target = Target("db-1", "127.0.0.1", 22, "deploy", (), Path("/nonexistent"))
    script, child = tmp_path / "ssh", tmp_path / "child"
    script.write_text(f"#!/bin/sh\nsetsid sleep 60 &\necho $! > {child}\nexit 1\n")
    script.chmod(0o755)
    stand = openssh_program.Program(target, [str(script)], tmp_path / "log")
    stand.popen.wait(GIVES_UP_S)
    error = outcome(lambda: stand.wait_for(lambda _: False))
    os.kill(int(child.read_text()), signal.SIGKILL)
    assert isinstance(error, UnreachableError)
