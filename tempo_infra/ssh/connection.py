"""The narrow door to a host: words in, bytes out, every wait with an end."""

from __future__ import annotations

import contextlib
import logging
import shlex
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko
from paramiko.ssh_exception import AuthenticationException, SSHException

from tempo_infra.errors import TempoInfraError, UnreachableError
from tempo_infra.ssh.known_hosts import pinned_keys, verify
from tempo_infra.ssh.target import Target, identities, jump_target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paramiko import Channel, PKey, Transport

    from tempo_infra.ssh.known_hosts import PinnedKey

CONNECT_S = 10.0
LOGIN_S = 20.0
KEEPALIVE_S = 15
STDERR_KEPT = 64 * 1024
READ_BYTES = 1 << 16

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # its tracebacks are no message for people


@dataclass(frozen=True, slots=True)
class Completed:
    returncode: int
    stdout: bytes
    stderr: bytes


class Process:
    """A program running on the host; both of its output streams are drained by whoever waits."""

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel, self._name = channel, name
        self._out, self._err = bytearray(), bytearray()

    @property
    def stderr(self) -> bytes:
        return bytes(self._err)

    def send(self, data: bytes, *, deadline_s: float) -> None:
        """Write to its standard input; UnreachableError when the host does not take it in time."""
        self._channel.settimeout(deadline_s)
        try:
            self._channel.sendall(data)
        except OSError as error:
            raise UnreachableError(f"sending failed: {_say(error)}", host=self._name) from error

    @property
    def ended(self) -> bool:
        """Whether the program has ended, or the connection to it; reading on tells which."""
        return self._channel.exit_status_ready()

    def close_stdin(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self._channel.shutdown_write()

    def read_line(self, *, deadline_s: float) -> bytes:
        """Return the next line with its end; what is left at the end of the stream, then b""."""
        until = time.monotonic() + deadline_s
        while b"\n" not in self._out:
            if not self._more(until, deadline_s):
                return self._take(len(self._out))
        return self._take(self._out.index(b"\n") + 1)

    def read_exact(self, count: int, *, deadline_s: float) -> bytes:
        until = time.monotonic() + deadline_s
        while len(self._out) < count:
            if not self._more(until, deadline_s):
                raise UnreachableError(
                    f"the answer ended after {len(self._out)} of {count} bytes", host=self._name
                )
        return self._take(count)

    def asked(self, text: bytes, *, times: int, deadline_s: float) -> bool:
        """Wait until its error stream holds a text so many times; False once it writes to stdout, or ends."""
        until = time.monotonic() + deadline_s
        while self._err.count(text) < times:
            if self._out or not self._more(until, deadline_s):
                return self._err.count(text) >= times
        return True

    def finish(self, *, deadline_s: float) -> Completed:
        """Read both streams to their end and return them with the exit code."""
        until = time.monotonic() + deadline_s
        while self._more(until, deadline_s):
            pass
        while not self._channel.exit_status_ready():
            if self._channel.closed or time.monotonic() > until:
                raise UnreachableError("the connection ended before the exit code came", host=self._name)
            time.sleep(0.005)
        return Completed(self._channel.recv_exit_status(), self._take(len(self._out)), self.stderr)

    def close(self) -> None:
        self._channel.close()

    def _take(self, count: int) -> bytes:
        taken = bytes(self._out[:count])
        del self._out[:count]
        return taken

    def _more(self, until: float, deadline_s: float) -> bool:
        """Take what arrived on either stream, waiting for it until the deadline; False at the end of both."""
        while True:
            moved = False
            if self._channel.recv_stderr_ready():
                self._err += self._channel.recv_stderr(READ_BYTES)
                del self._err[:-STDERR_KEPT]
                moved = True
            if self._channel.recv_ready():
                self._out += self._channel.recv(READ_BYTES)
                moved = True
            if moved:
                return True
            if self._channel.eof_received or self._channel.closed:
                return False
            if time.monotonic() > until:
                raise UnreachableError(f"no answer for {deadline_s:g} s", host=self._name)
            if self._wait_stdout():
                return True

    def _wait_stdout(self) -> bool:
        """Wait a few milliseconds for standard output: long enough not to spin, short for the other."""
        self._channel.settimeout(0.02)
        try:
            data = self._channel.recv(READ_BYTES)
        except TimeoutError:
            return False
        self._out += data
        return bool(data)


class Connection:
    """A login on a host."""

    def __init__(self, transport: Transport, target: Target) -> None:
        self._transport, self.target = transport, target

    def start(self, argv: Sequence[str], *, deadline_s: float = LOGIN_S) -> Process:
        """Start a program; its words are quoted here and nowhere else."""
        try:
            channel = self._transport.open_session(timeout=deadline_s)
            channel.settimeout(deadline_s)
            channel.exec_command(shlex.join(argv))
        except (SSHException, EOFError, OSError) as error:
            raise UnreachableError(
                f"starting a command failed: {_say(error)}", host=self.target.name
            ) from error
        return Process(channel, self.target.name)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", deadline_s: float) -> Completed:
        """Run a program to its end; UnreachableError when it gives no answer in time."""
        process = self.start(argv, deadline_s=deadline_s)
        try:
            if stdin:
                process.send(stdin, deadline_s=deadline_s)
            process.close_stdin()
            return process.finish(deadline_s=deadline_s)
        finally:
            process.close()

    def open_tcp(self, to: tuple[str, int], *, deadline_s: float = CONNECT_S) -> Channel:
        """Open a TCP connection from the host to an address that it can reach."""
        try:
            return self._transport.open_channel("direct-tcpip", to, ("127.0.0.1", 0), timeout=deadline_s)
        except (SSHException, EOFError) as error:
            raise UnreachableError(
                f"no way to {to[0]}:{to[1]}: {_say(error)}", host=self.target.name
            ) from error

    @property
    def alive(self) -> bool:
        return self._transport.is_active()

    def close(self) -> None:
        self._transport.close()


@contextlib.contextmanager
def connect(target: Target) -> Iterator[Connection]:
    """Connect, check the host key against the pinned one, log in; the connection is closed at the end.

    HostKeyError before any authentication when the key is unknown, changed or revoked; UnreachableError
    with the stage and the seconds otherwise.
    """
    with contextlib.ExitStack() as stack:
        sock: socket.socket | Channel | None = None
        for text in target.jumps:
            hop = stack.enter_context(_login(jump_target(text, target), sock))
            after = _next_hop(target, text)
            sock = hop.open_tcp((after.address, after.port))
        yield stack.enter_context(_login(target, sock))


def _next_hop(target: Target, jump: str) -> Target:
    index = target.jumps.index(jump) + 1
    return jump_target(target.jumps[index], target) if index < len(target.jumps) else target


@contextlib.contextmanager
def _login(target: Target, sock: socket.socket | Channel | None) -> Iterator[Connection]:
    keys = identities(target)
    transport = handshake(target, sock)
    try:
        verify(transport.get_remote_server_key(), _pins(target), target.known_hosts, target.name)
        _authenticate(transport, target, keys)
        transport.set_keepalive(KEEPALIVE_S)
        yield Connection(transport, target)
    finally:
        transport.close()


def handshake(target: Target, sock: socket.socket | Channel | None = None) -> Transport:
    """Connect and exchange keys, without logging in. UnreachableError names the stage and the seconds."""
    started = time.monotonic()
    stage = "connect"
    try:
        raw = sock or _tcp(target)
        stage = "key exchange"
        transport = paramiko.Transport(raw)
        transport.banner_timeout = CONNECT_S
        _prefer(transport, [pin.key.get_name() for pin in _pins(target) if not pin.revoked])
        transport.start_client(timeout=LOGIN_S)
    except (SSHException, EOFError, OSError) as error:
        seconds = time.monotonic() - started
        raise UnreachableError(
            f"unreachable: {stage} to {target.address}:{target.port} after {seconds:.1f} s: {_say(error)}",
            host=target.name,
        ) from error
    return transport


def _tcp(target: Target) -> socket.socket:
    connection = socket.create_connection((target.address, target.port), timeout=CONNECT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _pins(target: Target) -> list[PinnedKey]:
    return pinned_keys(target.known_hosts, target.address, target.port)


def _prefer(transport: Transport, names: list[str]) -> None:
    """Ask for the key type that is pinned, so that a host with several keys shows the known one."""
    options = transport.get_security_options()
    wanted = [kind for kind in options.key_types if _family(kind) in {_family(name) for name in names}]
    if wanted:
        options.key_types = (*wanted, *(kind for kind in options.key_types if kind not in wanted))


def _family(kind: str) -> str:
    return "rsa" if "rsa" in kind else kind


def _authenticate(transport: Transport, target: Target, keys: list[PKey]) -> None:
    started = time.monotonic()
    transport.auth_timeout = LOGIN_S
    for key in keys:
        try:
            transport.auth_publickey(target.user, key)
        except AuthenticationException:
            if not transport.is_active():
                break
            continue
        except (SSHException, EOFError, OSError) as error:
            seconds = time.monotonic() - started
            raise UnreachableError(
                f"unreachable: login as {target.user} after {seconds:.1f} s: {_say(error)}", host=target.name
            ) from error
        if transport.is_authenticated():
            return
    offered = ", ".join(key.fingerprint for key in keys) or "none (no agent, no key file)"
    raise UnreachableError(
        f"login as {target.user} was refused; keys offered: {offered}",
        host=target.name,
        remedy=f"put your public key into ~{target.user}/.ssh/authorized_keys there, "
        "or name the right one in `ssh.keys`",
    )


def _say(error: BaseException) -> str:
    if isinstance(error, TempoInfraError):
        return error.what
    return str(error) or {"EOFError": "the host closed the connection"}.get(
        type(error).__name__, type(error).__name__
    )
