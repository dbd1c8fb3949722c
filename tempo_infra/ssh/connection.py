"""The built-in transport: paramiko, in this process."""

from __future__ import annotations

import contextlib
import logging
import shlex
import socket
import time
from typing import TYPE_CHECKING

import paramiko
from paramiko import Channel
from paramiko.ssh_exception import (
    AuthenticationException,
    BadAuthenticationType,
    ChannelException,
    SSHException,
)

from tempo_infra.errors import TempoInfraError, UnreachableError
from tempo_infra.inventory.addresses import with_port
from tempo_infra.ssh import algorithms
from tempo_infra.ssh.deadline import Watch
from tempo_infra.ssh.dial import dial
from tempo_infra.ssh.known_hosts import host_id, pinned_keys, verify
from tempo_infra.ssh.reasons import no_way, unreachable
from tempo_infra.ssh.retry import HungUpError, RefusedError, retried
from tempo_infra.ssh.target import Target, identities, jump_target
from tempo_infra.ssh.transport import CONNECT_S, KEEPALIVE_S, LATE_S, LOGIN_S, READ_BYTES, Connection, Process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paramiko import PKey, Transport

    from tempo_infra.ssh.known_hosts import PinnedKey

CLOSE_S = 2.0  # for a goodbye; whoever does not take it is left without one
TURN_S = 0.02  # waited for one stream before the other is asked: long enough not to spin
LOST_WAYS = (SSHException, EOFError, OSError)  # in which paramiko says that a connection is of no use
BANNER_ENDED = "Error reading SSH protocol banner"  # paramiko's words for an end before it

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # its tracebacks are no message for people


class ChannelProcess(Process):
    """A program behind a channel of paramiko's."""

    def __init__(self, channel: Channel, name: str, watch: Watch) -> None:
        super().__init__(name)
        self._channel, self._watch = channel, watch

    def send(self, data: bytes, *, deadline_s: float) -> None:
        self._channel.settimeout(deadline_s)  # which begins again with each piece: the watch's does not
        try:
            with self._watch.within(deadline_s):
                self._channel.sendall(data)
        except LOST_WAYS as error:
            raise UnreachableError(f"sending failed: {_say(error)}", host=self._name) from error

    @property
    def ended(self) -> bool:
        return self._channel.exit_status_ready()

    def close_stdin(self) -> None:
        with contextlib.suppress(*LOST_WAYS), self._watch.within(CLOSE_S):
            self._channel.shutdown_write()

    def close(self) -> None:
        with contextlib.suppress(*LOST_WAYS), self._watch.within(CLOSE_S):
            self._channel.close()

    def _exit_code(self, until: float) -> int:
        while not self._channel.exit_status_ready():
            if self._channel.closed or time.monotonic() > until:
                raise UnreachableError("the connection ended before the exit code came", host=self._name)
            time.sleep(0.005)
        return self._channel.recv_exit_status()  # LOST is what paramiko says, too

    def _more(self, until: float, deadline_s: float) -> bool:
        try:
            # Who takes a piece also tells the host that there is room again, and may wait for that.
            with self._watch.within(max(0.0, until - time.monotonic()) + LATE_S):
                return self._piece(until, deadline_s)
        except TimeoutError:
            raise self._silent(deadline_s) from None
        except LOST_WAYS as error:
            raise UnreachableError(f"reading failed: {_say(error)}", host=self._name) from error

    def _piece(self, until: float, deadline_s: float) -> bool:
        while True:
            moved = False
            if self._channel.recv_stderr_ready():
                self._keep_error(self._channel.recv_stderr(READ_BYTES))
                moved = True
            if self._channel.recv_ready():
                self._out += self._channel.recv(READ_BYTES)
                moved = True
            if moved:
                return True
            if self._channel.eof_received or self._channel.closed:
                return False
            late = time.monotonic() > until
            if self._wait_stdout(LATE_S if late else TURN_S):
                return True
            if late and not self._channel.recv_stderr_ready() and not self._channel.eof_received:
                raise self._silent(deadline_s)

    def _wait_stdout(self, seconds: float) -> bool:
        self._channel.settimeout(seconds)
        try:
            data = self._channel.recv(READ_BYTES)
        except TimeoutError:
            return False
        self._out += data
        return bool(data)


class LibraryConnection(Connection):
    """A connection to a host, on which somebody logs in."""

    def __init__(self, transport: Transport, target: Target) -> None:
        super().__init__(target)
        self._transport = transport
        self._opening: Channel | None = None
        self._watch = Watch(self._cut)

    @property
    def key(self) -> PKey:
        """The key that the host showed; paramiko forgets it when the connection ends meanwhile."""
        try:
            return self._transport.get_remote_server_key()
        except SSHException as error:
            how_far = f"key exchange to {self.target.place}"
            raise unreachable(self.target.name, how_far, _say(error)) from error

    def log_in(self, keys: Sequence[PKey]) -> None:
        """Check the host's key, then offer ours, all within LOGIN_S. HostKeyError, UnreachableError."""
        target = self.target
        verify(self.key, _pins(target), target.known_hosts, target.name, jump=target.jump)
        started = time.monotonic()
        try:
            with self._watch.within(LOGIN_S):
                let_in = self._let_in(keys, started + LOGIN_S)
        except LOST_WAYS as error:
            how_far = f"login as {target.user} after {time.monotonic() - started:.1f} s"
            raise unreachable(target.name, how_far, _say(error)) from error
        if not let_in:
            raise target.refused([key.fingerprint for key in keys])
        self._transport.set_keepalive(KEEPALIVE_S)

    def _let_in(self, keys: Sequence[PKey], until: float) -> bool:
        transport = self._transport
        for key in keys:
            transport.auth_timeout = max(0.0, until - time.monotonic())
            try:
                more = transport.auth_publickey(self.target.user, key)
            except AuthenticationException as error:
                if time.monotonic() > until - LATE_S:
                    raise
                if not transport.is_active():
                    return False
                if isinstance(error, BadAuthenticationType):
                    raise self.target.takes_no_key(error.allowed_types) from error
                continue
            if transport.is_authenticated():
                return True
            if more:
                raise self.target.wants_more(more)
        return False

    def start(self, argv: Sequence[str], *, deadline_s: float = LOGIN_S) -> Process:
        try:
            with self._watch.within(deadline_s):
                channel = self._opening = self._transport.open_session(timeout=deadline_s)
                channel.exec_command(shlex.join(argv))
        except LOST_WAYS as error:
            raise unreachable(self.target.name, "starting a command", _say(error)) from error
        return ChannelProcess(channel, self.target.name, self._watch)

    def open_tcp(self, to: tuple[str, int], *, deadline_s: float = CONNECT_S) -> Channel:
        try:
            with self._watch.within(deadline_s):
                return self._transport.open_channel("direct-tcpip", to, ("127.0.0.1", 0), timeout=deadline_s)
        except LOST_WAYS as error:
            raise no_way(self.target.name, with_port(*to), _say(error)) from error

    @property
    def reached(self) -> str | None:
        # Through a jump host the transport's socket is a channel.
        sock = self._transport.sock
        return str(sock.getpeername()[0]) if isinstance(sock, socket.socket) else None

    def close(self) -> None:
        with contextlib.suppress(*LOST_WAYS), self._watch.within(CLOSE_S):
            self._transport.close()
        self._watch.end()

    def _cut(self) -> None:
        cut(self._transport)
        if opening := self._opening:  # it waits for this, even where the connection had ended just before
            opening.event.set()


def cut(transport: Transport) -> None:
    """End a connection with those that it goes through, from the first hop on: nothing is sent any more."""
    with contextlib.suppress(*LOST_WAYS):
        if isinstance(transport.sock, Channel) and transport.sock.transport:
            cut(transport.sock.transport)
        transport.close()


@contextlib.contextmanager
def connected(target: Target) -> Iterator[LibraryConnection]:
    """Connect, hop by hop; at each one check the host key against the pinned one, then log in."""
    with _way(target) as before, contextlib.closing(_login(target, before)) as login:
        yield login


def offered_key(target: Target) -> tuple[str, PKey]:
    """Return the host's key and the name that known_hosts should have it under, without logging in there.

    The hosts on the way are logged in at, by their pinned keys: who has the same address here is not asked.
    """
    with (
        _way(target) as before,
        contextlib.closing(LibraryConnection(handshake(target, before), target)) as connection,
    ):
        return host_id(target.address, target.port), connection.key


@contextlib.contextmanager
def _way(target: Target) -> Iterator[LibraryConnection | None]:
    """Log in at each host on the way; the last one leads to the target. None: nothing stands between."""
    with contextlib.ExitStack() as stack:
        before = None
        for text in target.jumps:
            before = stack.enter_context(contextlib.closing(_login(jump_target(text, target), before)))
        yield before


def _login(target: Target, before: LibraryConnection | None) -> LibraryConnection:
    keys = identities(target)

    def once() -> LibraryConnection:
        login = LibraryConnection(handshake(target, before), target)
        try:
            login.log_in(keys)
        except BaseException:
            login.close()
            raise
        return login

    return retried(target.place, once)


def handshake(target: Target, before: LibraryConnection | None = None) -> Transport:
    """Connect, through the host before it, and exchange keys, without logging in.

    UnreachableError names the stage and the seconds.
    """
    started = time.monotonic()
    stage = "connect"
    try:
        raw = before.open_tcp((target.address, target.port)) if before else _tcp(target)
        stage = "key exchange"
        transport = paramiko.Transport(raw)
        transport.banner_timeout = CONNECT_S
        _leave_out(transport)
        _prefer(transport, [pin.key.get_name() for pin in _pins(target) if not pin.revoked])
        transport.start_client(timeout=LOGIN_S)
    except LOST_WAYS as error:
        seconds = time.monotonic() - started
        how_far = f"{stage} to {target.place} after {seconds:.1f} s"
        raise unreachable(target.name, how_far, _say(error), _kind(error, seconds)) from error
    return transport


def _kind(error: Exception, seconds: float) -> type[UnreachableError]:
    if isinstance(error, ConnectionRefusedError):
        return RefusedError
    hung_up = isinstance(error, SSHException) and str(error).startswith(BANNER_ENDED)
    return HungUpError if hung_up and seconds < CONNECT_S else UnreachableError


def _tcp(target: Target) -> socket.socket:
    connection = dial(target.address, target.port, CONNECT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _pins(target: Target) -> list[PinnedKey]:
    return pinned_keys(target.known_hosts, target.address, target.port)


def _leave_out(transport: Transport) -> None:
    """Offer nothing weak, whatever this version of the library has."""
    options = transport.get_security_options()
    options.ciphers = algorithms.allowed(tuple(options.ciphers), algorithms.CIPHERS)
    options.digests = algorithms.allowed(tuple(options.digests), algorithms.MACS)
    options.kex = algorithms.allowed(tuple(options.kex), algorithms.KEY_EXCHANGES)
    options.key_types = algorithms.allowed(tuple(options.key_types), algorithms.SIGNATURES)


def _prefer(transport: Transport, names: list[str]) -> None:
    """Ask for the key type that is pinned, so that a host with several keys shows the known one."""
    options = transport.get_security_options()
    wanted = [kind for kind in options.key_types if _family(kind) in {_family(name) for name in names}]
    if wanted:
        options.key_types = (*wanted, *(kind for kind in options.key_types if kind not in wanted))


def _family(kind: str) -> str:
    return "rsa" if "rsa" in kind else kind


def _say(error: BaseException) -> str:
    if isinstance(error, TempoInfraError):
        return error.what
    if isinstance(error, ChannelException):  # its own words are a number and a text
        return error.text.lower()
    return str(error) or {"EOFError": "the host closed the connection"}.get(
        type(error).__name__, type(error).__name__
    )
