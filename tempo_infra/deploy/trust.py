"""Looking at the key that a host offers, and pinning it beside the inventory."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tempo_infra.ssh import offered_key, resolve
from tempo_infra.ssh.known_hosts import fingerprint, keys_of, pin_as, refusal

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
    name: str  # as known_hosts has it
    key: PKey
    state: KeyState

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.key)

    def is_fingerprint(self, text: str) -> bool:
        """Whether a person means this key: the whole fingerprint, with or without the key's kind."""
        return text in (self.fingerprint, self.key.fingerprint)


def offered_keys(hosts: Sequence[Host]) -> Iterator[Offer]:
    """Ask each host for its key, without logging in. UnreachableError; HostKeyError for a revoked one."""
    for host in hosts:
        target = resolve(host.name, host.ssh)
        name, key = offered_key(target)
        pins = keys_of(target.known_hosts, name)
        if any(pin.revoked and pin.key == key for pin in pins):
            raise refusal(fingerprint(key), pins, target.known_hosts, host.name)
        valid = [pin.key for pin in pins if not pin.revoked]
        state = KeyState.PINNED if key in valid else KeyState.CHANGED if valid else KeyState.UNKNOWN
        yield Offer(host, name, key, state)


def pin_key(offer: Offer, *, replace: bool) -> None:
    pin_as(offer.host.ssh.known_hosts, offer.name, offer.key, replace=replace)
