"""One running `ssh`: from its start to the login, or to the reason why there is none."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from tempo_infra.errors import HostKeyError, UnreachableError
from tempo_infra.ssh.known_hosts import keys_of, refusal
from tempo_infra.ssh.openssh_log import Log, Stage
from tempo_infra.ssh.reasons import unreachable
from tempo_infra.ssh.retry import HungUpError, RefusedError
from tempo_infra.ssh.transport import LOGIN_S, READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tempo_infra.ssh.target import Target

LOOK_EVERY_S = 0.003  # at the log, while ssh logs in
END_S = 2.0  # for an ssh that was told to end
# A host answers in its own language, not the operator's; nobody is asked anything.
NOT_PASSED_ON = ("LANG", "LC_", "SSH_ASKPASS", "DISPLAY")


class Program:
    """A running `ssh` with its log."""

    def __init__(
        self,
        target: Target,
        words: Sequence[str],
        log: Path,
        stdio: int = subprocess.PIPE,
    ) -> None:
        self.target, self._log = target, log
        self.started = time.monotonic()
        self.popen = subprocess.Popen(
            [*words[:1], "-E", log, *words[1:]],
            stdin=stdio,
            stdout=stdio,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={name: text for name, text in os.environ.items() if not name.startswith(NOT_PASSED_ON)},
            start_new_session=True,  # no terminal to ask at, and Ctrl-C is ours to hear
        )
        if self.popen.stderr:  # a program that ssh had started may hold it open
            os.set_blocking(self.popen.stderr.fileno(), False)

    def log(self) -> Log:
        """Return what ssh has said until now."""
        try:
            return Log(self._log.read_text(errors="replace"))
        except FileNotFoundError:
            return Log("")

    def _size(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def wait_for(self, arrived: Callable[[Log], bool]) -> Log:
        """Wait for something in the log; UnreachableError names the stage and the seconds."""
        key_exchange_until = self.started + LOGIN_S
        log, read = Log(""), -1
        while True:
            ended = self.popen.poll() is not None
            if (size := self._size()) != read:
                log, read = self.log(), size
                if arrived(log):
                    return log
            late = time.monotonic() - key_exchange_until
            if ended or late > (LOGIN_S if log.stage is Stage.LOGIN else 0):
                self.end()
                why = self._why(log)
                self.close()
                raise why
            time.sleep(LOOK_EVERY_S)

    def end(self) -> None:
        """End it with what it has started, whatever they are at."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.popen.poll() is None:  # else the number may be somebody else's by now
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.popen.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(END_S)

    def close(self) -> None:
        """End it, and close what is left of its streams."""
        self.end()
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if stream:
                with contextlib.suppress(OSError):  # what was not sent is of no use any more
                    stream.close()

    def _why(self, log: Log) -> UnreachableError:
        target, seconds = self.target, time.monotonic() - self.started
        stderr = self.popen.stderr
        said = (stderr.read(READ_BYTES) if stderr else b"") or b""  # None: nothing yet
        jumps = Log(said.decode(errors="replace"))
        if log.host_key_refused or jumps.host_key_refused:
            return self._host_key(jumps if jumps.host_key_refused else log, jump=jumps.host_key_refused)
        if log.login_refused:
            return _login_refused(log, target)
        words = "; ".join(words for words in (jumps.words, log.words) if words) or "no answer"
        stage = f"login as {target.user}" if log.stage is Stage.LOGIN else f"{log.stage} to {target.place}"
        return unreachable(target.name, f"{stage} after {seconds:.1f} s", words, _kind(log, jumps))

    def _host_key(self, log: Log, *, jump: bool) -> UnreachableError:
        offered, target = log.offered_key, self.target
        if offered is None:
            return HostKeyError(f"refused: the host key: {log.words}", host=target.name)
        pins = keys_of(target.known_hosts, offered.host)
        via = offered.host if jump else ""
        return refusal(offered.fingerprint, pins, target.known_hosts, target.name, jump=via)


def _login_refused(log: Log, target: Target) -> UnreachableError:
    if log.key_taken:
        return target.wants_more(log.methods)
    if log.methods and "publickey" not in log.methods:
        return target.takes_no_key(log.methods)
    return target.refused(log.keys_offered)


def _kind(log: Log, jumps: Log) -> type[UnreachableError]:
    """Whether to knock again. A way through jump hosts ends in the same words, whatever ended it."""
    if log.through_a_proxy and jumps.stage is not Stage.IN:
        log = jumps
    if log.hung_up and not jumps.way_refused:
        return HungUpError
    return RefusedError if log.refused else UnreachableError
