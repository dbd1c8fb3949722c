"""A local port that leads through a host's ssh to an address behind it."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import TYPE_CHECKING

from tempo_infra.errors import UnreachableError
from tempo_infra.ssh.connect import connect
from tempo_infra.ssh.target import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.inventory.cluster import Host
    from tempo_infra.ssh.transport import Connection, Stream

CHUNK = 1 << 16


@contextlib.contextmanager
def forward(host: Host, to: tuple[str, int]) -> Iterator[int]:
    """Yield a port on 127.0.0.1 whose connections end at `to`, as seen from the host.

    Who connects there sees a connection that ends. So when the block fails to reach what is behind it, and
    the last connection was refused, the error is the host's own: UnreachableError.
    """
    with (
        connect(resolve(host.name, host.ssh)) as connection,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        way = _Way(connection, to)
        threading.Thread(target=way.accept, args=(listener,), daemon=True).start()
        try:
            yield int(listener.getsockname()[1])
        except UnreachableError as error:
            if way.refusal is not None:
                raise way.refusal from error
            raise


class _Way:
    """Connections through a host to one place."""

    def __init__(self, connection: Connection, to: tuple[str, int]) -> None:
        self._connection, self._to = connection, to
        self.refusal: UnreachableError | None = None  # of the last connection

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed: the forward is over
            try:
                channel = self._connection.open_tcp(self._to)
            except UnreachableError as error:
                self.refusal = error
                client.close()
                continue
            self.refusal = None
            threading.Thread(target=_relay, args=(client, channel), daemon=True).start()


def _relay(client: socket.socket, channel: Stream) -> None:
    with contextlib.closing(client), contextlib.closing(channel), contextlib.suppress(OSError):
        both: list[Stream] = [client, channel]
        while True:
            ready, _, _ = select.select(both, [], [])
            if client in ready:
                data = client.recv(CHUNK)
                if not data:
                    return
                channel.sendall(data)
            if channel in ready:
                data = channel.recv(CHUNK)
                if not data:
                    return
                client.sendall(data)
