"""One exchange over a socket with somebody who may be broken or hostile: it ends, in time and in bytes.

A socket's own timeout begins again with every byte: who sends one now and then holds a reader for ever. Here
each wait is for what is left until the one deadline, and what is taken altogether has a bound.
"""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from typing import Iterator, Sequence

PIECE_BYTES = 1 << 16
SHORTEST_S = 0.001  # a timeout of 0 would mean: do not wait, and say so by another error


@dataclass(frozen=True)
class Tls:
    """How the other side proves who it is, and how we do where it asks; files of this host, in PEM."""

    ca: str
    name: str  # in its certificate, which names a role, not the address that is dialled
    certificate: str = ""  # ours
    key: str = ""


class Exchange:
    """An open connection. Every method raises OSError: TimeoutError at the deadline, else it says why."""

    def __init__(self, connection: socket.socket, until: float, most_bytes: int) -> None:
        """`until` is of the monotonic clock; `most_bytes` is what may be received, all in all."""
        self._connection, self._until = connection, until
        self._left, self._most = most_bytes, most_bytes
        self._received = bytearray()

    def send(self, data: bytes) -> None:
        self._connection.settimeout(self._left_s())
        self._connection.sendall(data)  # its timeout is for all of the data

    def exactly(self, count: int) -> bytes:
        """Return the next bytes, so many; ConnectionError when the other side ends before them."""
        if count > len(self._received) + self._left:
            raise self._too_much()
        while len(self._received) < count:
            if not self._receive():
                raise ConnectionError("closed the connection")
        return self._take(count)

    def readline(self, most: int = 4096) -> bytes:
        """Return the next line with its end, `most` bytes of a longer one, or what is left at the end."""
        while (end := self._received.find(b"\n", 0, most)) < 0 and len(self._received) < most:
            if not self._receive():
                return self._take(len(self._received))
        return self._take(most if end < 0 else end + 1)

    def rest(self) -> bytes:
        """Return everything up to the other side's end."""
        while self._receive():
            pass
        return self._take(len(self._received))

    def _receive(self) -> bool:
        if self._left <= 0:
            raise self._too_much()
        self._connection.settimeout(self._left_s())
        data = self._connection.recv(min(PIECE_BYTES, self._left))
        self._left -= len(data)
        self._received += data
        return bool(data)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def _left_s(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return max(SHORTEST_S, left)

    def _too_much(self) -> OSError:
        return OSError(f"sends more than {self._most} bytes")


@contextlib.contextmanager
def tcp(
    address: str,
    port: int,
    *,
    deadline_s: float,
    most_bytes: int,
    tls: "Tls | None" = None,
    protocols: "Sequence[str]" = (),
) -> "Iterator[Exchange]":
    """Connect to an IP address; a name is refused, for looking it up may take any time.

    `protocols` are offered inside TLS (ALPN, RFC 7301).
    """
    until = time.monotonic() + deadline_s
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    socket.inet_pton(family, address)
    with _connected(family, (address, port), until) as connection:
        if tls is None:
            yield Exchange(connection, until, most_bytes)
            return
        with _secured(connection, tls, protocols) as inside:
            yield Exchange(inside, until, most_bytes)


@contextlib.contextmanager
def unix(path: str, *, deadline_s: float, most_bytes: int) -> "Iterator[Exchange]":
    """Connect to a socket of this host."""
    until = time.monotonic() + deadline_s
    with _connected(socket.AF_UNIX, path, until) as connection:
        yield Exchange(connection, until, most_bytes)


@contextlib.contextmanager
def routing(*, deadline_s: float, most_bytes: int) -> "Iterator[Exchange]":
    """Talk to the kernel about routes: rtnetlink(7)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        yield Exchange(kernel, time.monotonic() + deadline_s, most_bytes)


@contextlib.contextmanager
def _connected(
    family: socket.AddressFamily, to: "tuple[str, int] | str", until: float
) -> "Iterator[socket.socket]":
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(max(SHORTEST_S, until - time.monotonic()))
        connection.connect(to)
        connection.settimeout(max(SHORTEST_S, until - time.monotonic()))  # of a whole handshake, too
        yield connection


def _secured(connection: socket.socket, tls: Tls, protocols: "Sequence[str]") -> "ssl.SSLSocket":
    """Shake hands; ssl.SSLError, an OSError, says what is wrong with the certificate."""
    import ssl  # only where it is asked for: it takes milliseconds of every start

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # asks for a certificate, and compares its name
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(tls.ca)
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(connection, server_hostname=tls.name)
