"""Servers of ssh on loopback, made of paramiko: what they offer and where they lead is the test's to say."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko import Ed25519Key, PKey

Place = tuple[str, int]


def new_key(path: Path) -> PKey:
    """Make a key of ssh and its file."""
    text = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    path.write_bytes(text)
    path.chmod(0o600)
    return Ed25519Key.from_private_key_file(str(path))


@dataclass
class Sshd:
    """What a server was asked, and by how many."""

    port: int
    key: PKey
    ways: Mapping[Place, Place]  # where an address leads to, as seen from this host
    offers: Mapping[str, tuple[str, ...]]  # "ciphers", "digests", "kex", "key_types": paramiko's names
    program: Callable[[paramiko.Channel, str], None] | None = None  # what a command does
    banner: str = ""  # shown before the login
    version: str = ""  # what it says it is
    connections: int = 0
    asked: list[Place] = field(default_factory=list)

    @property
    def known(self) -> str:
        """Its line of known_hosts."""
        return f"[127.0.0.1]:{self.port} {self.key.get_name()} {self.key.get_base64()}\n"


class _Rules(paramiko.ServerInterface):
    def __init__(self, sshd: Sshd, transport: paramiko.Transport) -> None:
        self._sshd, self._transport = sshd, transport

    def get_allowed_auths(self, _: str) -> str:
        return "publickey"

    def check_auth_publickey(self, *_: object) -> int:
        return paramiko.common.AUTH_SUCCESSFUL

    def get_banner(self) -> tuple[str | None, str | None]:
        return (self._sshd.banner, "en") if self._sshd.banner else (None, None)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        program = self._sshd.program
        if program is not None:
            threading.Thread(target=program, args=(channel, command.decode()), daemon=True).start()
        return program is not None

    def check_channel_request(self, *_: object) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_direct_tcpip_request(self, _: int, __: Place, destination: Place) -> int:
        self._sshd.asked.append(destination)
        if destination not in self._sshd.ways:
            return paramiko.common.OPEN_FAILED_CONNECT_FAILED
        threading.Thread(target=self._lead, args=(destination,), daemon=True).start()
        return paramiko.common.OPEN_SUCCEEDED

    def _lead(self, destination: Place) -> None:
        channel: Any = self._transport.accept(5)
        with contextlib.suppress(OSError), socket.create_connection(self._sshd.ways[destination]) as there:
            while channel and (ready := select.select([channel, there], [], [])[0]):
                for one, other in ((channel, there), (there, channel)):
                    if one in ready:
                        if not (data := one.recv(1 << 16)):
                            return
                        other.sendall(data)


@contextlib.contextmanager
def sshd(
    key: PKey,
    ways: Mapping[Place, Place] | None = None,
    offers: Mapping[str, tuple[str, ...]] | None = None,
    **more: Any,
) -> Iterator[Sshd]:
    """Serve on 127.0.0.1: every public key is let in, and what is forwarded goes the ways that are given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Sshd(listener.getsockname()[1], key, ways or {}, offers or {}, **more)
        threading.Thread(target=_accept, args=(listener, server), daemon=True).start()
        yield server


def _accept(listener: socket.socket, server: Sshd) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server.connections += 1
        transport = paramiko.Transport(client)
        options = transport.get_security_options()
        for name, algorithms in server.offers.items():
            setattr(options, name, algorithms)
        transport.add_server_key(server.key)
        if server.version:
            transport.local_version = server.version
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(threading.Event(), _Rules(server, transport))
