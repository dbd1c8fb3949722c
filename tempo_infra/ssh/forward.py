"""A local port that leads through a host's ssh to an address behind it."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import TYPE_CHECKING

from tempo_infra.errors import UnreachableError
from tempo_infra.ssh.reach import connect
from tempo_infra.ssh.target import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.inventory.cluster import Host
    from tempo_infra.ssh.door import Connection, Stream

CHUNK = 1 << 16


@contextlib.contextmanager
def forward(host: Host, to: tuple[str, int]) -> Iterator[int]:
    """Yield a port on 127.0.0.1 whose connections end at `to`, as seen from the host."""
    with (
        connect(resolve(host.name, host.ssh)) as connection,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        threading.Thread(target=_accept, args=(listener, connection, to), daemon=True).start()
        yield int(listener.getsockname()[1])


def _accept(listener: socket.socket, connection: Connection, to: tuple[str, int]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # closed: the forward is over
        try:
            channel = connection.open_tcp(to)
        except UnreachableError:
            client.close()
            continue
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
