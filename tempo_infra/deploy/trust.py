"""Looking at the key that a host offers, and pinning it beside the inventory."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tempo_infra.ssh.connection import handshake
from tempo_infra.ssh.known_hosts import fingerprint, pin, pinned_keys
from tempo_infra.ssh.target import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paramiko import PKey

    from tempo_infra.inventory.cluster import Host


class KeyState(StrEnum):
    PINNED = "pinned"
    UNKNOWN = "not pinned yet"
    CHANGED = "differs from the pinned key"


@dataclass(frozen=True, slots=True)
class Offer:
    host: Host
    key: PKey
    state: KeyState

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.key)


def offered_keys(hosts: Sequence[Host]) -> Iterator[Offer]:
    """Ask each host for its key, without logging in. UnreachableError."""
    for host in hosts:
        target = resolve(host.name, host.ssh)
        transport = handshake(target)
        try:
            key = transport.get_remote_server_key()
        finally:
            transport.close()
        pins = pinned_keys(target.known_hosts, target.address, target.port)
        known = any(pin.key == key for pin in pins)
        state = KeyState.PINNED if known else KeyState.CHANGED if pins else KeyState.UNKNOWN
        yield Offer(host, key, state)


def pin_key(offer: Offer, *, replace: bool) -> None:
    target = resolve(offer.host.name, offer.host.ssh)
    pin(target.known_hosts, target.address, target.port, offer.key, replace=replace)
