"""The system's own `ssh` as a transport: security keys, certificates, everything that ssh_config can say.

Each program that is started is an `ssh` process of its own, and so a connection and a login of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.errors import HostKeyError, InputError, UnreachableError
from tempo_infra.inventory.addresses import with_port
from tempo_infra.ssh.deadline import Deadline
from tempo_infra.ssh.known_hosts import check, keys_of
from tempo_infra.ssh.openssh_config import config_text
from tempo_infra.ssh.openssh_log import OfferedKey, Stage
from tempo_infra.ssh.openssh_program import LOOK_EVERY_S, Program
from tempo_infra.ssh.reasons import no_way
from tempo_infra.ssh.retry import retried
from tempo_infra.ssh.target import check_key_file
from tempo_infra.ssh.transport import (
    CONNECT_S,
    LATE_S,
    LOGIN_S,
    LOST,
    READ_BYTES,
    Connection,
    Process,
    Stream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paramiko import PKey

    from tempo_infra.ssh.openssh_log import Log
    from tempo_infra.ssh.target import Target

FAILED = 255  # ssh's exit code for its own failures
JUMP_NOISE = b"debug1: "  # a jump host's ssh has no log file of its own


class PipeProcess(Process):
    """A program on the host, behind an `ssh` of its own."""

    def __init__(self, program: Program, name: str) -> None:
        super().__init__(name)
        pipes = program.popen.stdin, program.popen.stdout, program.popen.stderr
        self._stdin, self._stdout, self._stderr = (pipe for pipe in pipes if pipe)
        self._program, self._part = program, b""
        self._open = selectors.PollSelector()
        self._open.register(self._stdout, selectors.EVENT_READ)
        self._open.register(self._stderr, selectors.EVENT_READ)
        os.set_blocking(self._stdin.fileno(), False)

    @property
    def ended(self) -> bool:
        return self._program.popen.poll() is not None

    @property
    def farewell(self) -> str:
        return self.log().words

    def log(self) -> Log:
        return self._program.log()

    def send(self, data: bytes, *, deadline_s: float) -> None:
        end, left = Deadline(deadline_s), memoryview(data)
        try:
            with selectors.PollSelector() as ready:
                ready.register(self._stdin, selectors.EVENT_WRITE)
                while left:
                    if end.past or not ready.select(end.left_s):
                        raise self._silent(deadline_s)
                    left = left[os.write(self._stdin.fileno(), left) :]
        except (OSError, ValueError) as error:  # ValueError: it was closed
            raise UnreachableError(f"sending failed: {self.farewell or error}", host=self._name) from error

    def close_stdin(self) -> None:
        with contextlib.suppress(OSError):
            self._stdin.close()

    def close(self) -> None:
        self._open.close()
        self._program.close()

    def _more(self, until: float, deadline_s: float) -> bool:
        while self._open.get_map():
            arrived = self._open.select(max(LATE_S, until - time.monotonic()))
            if not arrived:
                raise self._silent(deadline_s)
            for key, _ in arrived:
                self._read(key.fd)
            return True
        return False

    def _read(self, descriptor: int) -> None:
        data = os.read(descriptor, READ_BYTES)
        if not data:
            self._open.unregister(descriptor)
        if descriptor == self._stdout.fileno():
            self._out += data
        else:
            self._keep_error(self._without_noise(data))

    def _without_noise(self, data: bytes) -> bytes:
        """Drop whole lines of jump hosts' debugging; a line that may become one waits for its end."""
        *lines, last = (self._part + data).split(b"\n")
        kept = b"".join(line + b"\n" for line in lines if not line.startswith(JUMP_NOISE))
        wait = bool(data) and JUMP_NOISE.startswith(last[: len(JUMP_NOISE)])
        self._part = last if wait else b""
        return kept if wait else kept + last

    def _exit_code(self, until: float) -> int:
        try:
            code = self._program.popen.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise UnreachableError(
                "the connection ended before the exit code came", host=self._name
            ) from None
        own_failure = code == FAILED and self._program.log().exit_status != FAILED
        return LOST if own_failure or code < 0 else code


class ProgramConnection(Connection):
    """What it takes to run `ssh` for a host: a private folder with its configuration and logs."""

    def __init__(self, target: Target, folder: Path) -> None:
        super().__init__(target)
        self._folder, self._ssh = folder, executable()
        self._config = folder / "config"
        self._config.write_bytes(os.fsencode(config_text(target)))  # a path has the bytes that it has
        self._running: list[Program | PipeProcess] = []
        self._numbers = itertools.count()

    def start(self, argv: Sequence[str], *, deadline_s: float = LOGIN_S) -> Process:
        del deadline_s  # logging in has its own
        process = PipeProcess(self._log_in([], [shlex.join(argv)]), self.target.name)
        self._running.append(process)
        return process

    def open_tcp(self, to: tuple[str, int], *, deadline_s: float = CONNECT_S) -> Stream:
        place = with_port(*to)
        ours, theirs = socket.socketpair()
        with theirs:
            # At this level ssh says that the way is open.
            program = self._log_in(["-o", "LogLevel=DEBUG2", "-W", place], [], theirs.fileno())
        self._running.append(program)
        until = time.monotonic() + deadline_s
        while not (log := program.log()).way_open:
            late = time.monotonic() > until
            if late or log.way_refused or program.popen.poll() is not None:
                ours.close()
                program.close()
                raise no_way(self.target.name, with_port(*to), log.words or "no answer")
            time.sleep(LOOK_EVERY_S)
        return ours

    @property
    def reached(self) -> str | None:
        return self._running[-1].log().peer if self._running else None

    def close(self) -> None:
        for one in self._running:
            one.close()

    def _log_in(self, options: list[str], command: list[str], stdio: int = subprocess.PIPE) -> Program:
        def once() -> Program:
            program = self._program(options, command, stdio)
            program.wait_for(lambda log: log.stage is Stage.IN)
            return program

        return retried(self.target.jumps[0] if self.target.jumps else self.target.place, once)

    def _program(self, options: list[str], command: list[str], stdio: int) -> Program:
        target = self.target
        log = self._folder / f"log-{next(self._numbers)}"
        login = ["-F", str(self._config), "-p", str(target.port), "-l", target.user]
        if target.jumps:  # not in the file: the jump hosts' own ssh reads that, too
            login += ["-J", ",".join(target.jumps)]
        words = [self._ssh, *login, "-T", "-x", *options, "--", target.address, *command]
        return Program(target, words, log, stdio)

    def look_at_key(self, options: list[str]) -> OfferedKey:
        """Let ssh judge the host's key, and end before a login. HostKeyError when ssh refuses it."""

        def done(log: Log) -> bool:
            return log.stage is Stage.LOGIN or log.login_refused

        no_login = ["-o", "PreferredAuthentications=none"]
        program = self._program([*no_login, *options], [], subprocess.DEVNULL)
        try:
            found = program.wait_for(done).offered_key
        finally:
            program.close()
        if found is None:
            raise UnreachableError("ssh did not say which key the host has", host=self.target.name)
        return found


def offered_key(target: Target) -> tuple[str, PKey]:
    """Return the host's key and the name that known_hosts should have it under, without logging in."""
    with connected(target) as connection, tempfile.TemporaryDirectory() as folder:
        seen, file = Path(folder) / "seen", target.known_hosts
        try:
            found = connection.look_at_key([])
        except HostKeyError:
            file = seen
            take = ["-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={seen}"]
            found = connection.look_at_key(take)
        for pin in keys_of(file, found.host):
            if found.fingerprint.endswith(pin.key.fingerprint):
                return found.host, pin.key
    raise InputError(
        f"the host shows a certificate ({found.fingerprint})",
        host=target.name,
        remedy=f"its authority stands in {target.known_hosts}; there is nothing to pin",
    )


@contextlib.contextmanager
def connected(target: Target) -> Iterator[ProgramConnection]:
    """Make ready to run `ssh` for a host; each program that is started connects by itself."""
    check(target.known_hosts)
    for path in target.keys:
        check_key_file(path)
    with (
        tempfile.TemporaryDirectory(prefix="tempo-infra-") as folder,
        contextlib.closing(ProgramConnection(target, Path(folder))) as connection,
    ):
        yield connection


def executable() -> str:
    found = shutil.which("ssh")
    if found is None:
        raise InputError(
            "`ssh.transport: openssh` needs the program ssh, and there is none on PATH",
            remedy="apt-get install openssh-client, or leave ssh.transport out",
        )
    return found
