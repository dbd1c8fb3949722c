"""Where a secrets file comes from: proof that it follows from the one before.

Recipients are public, so anybody can make a file that opens. But each write adds a random key that only the
file holds, beside those of the writes before. Hosts keep a digest of the newest key that they have confirmed
(`on_host/origin.py`): a file that lacks that key was made by somebody who could not open the one before, or
is older than what the hosts have seen.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KEY_BYTES: Final = 32
# Keys of earlier writes, the first one always. A host that saw none of them was away for long.
KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class Origin:
    """The keys of all writes, the newest last, and a seal for each password that this program generated."""

    keys: tuple[str, ...] = field(default=(), repr=False)
    write: int = 0  # how many there were
    seals: Mapping[str, str] = field(
        default_factory=dict, repr=False
    )  # name -> a digest under one of the keys

    @property
    def digests(self) -> tuple[str, ...]:
        """What hosts know of the keys; the newest last. A key is random, so its digest gives nothing away."""
        return tuple(hashlib.sha256(f"tempo-infra\0{key}".encode()).hexdigest() for key in self.keys)

    def material_key(self, values: Iterable[str]) -> bytes:
        """Return the key of the digests that hosts have of these secrets. It is the first write's, and stays.

        A file from before files had keys has its secrets themselves to make one of.
        """
        return hmac.digest((self.keys or ("\0".join(sorted(values)),))[0].encode(), b"material", "sha256")

    def generated(self, name: str, value: str) -> bool:
        """Whether this program made that password, and nobody has changed it since."""
        seal = self.seals.get(name, "")
        return any(hmac.compare_digest(seal, _seal(key, name, value)) for key in self.keys)

    def next(self, values: Mapping[str, str], made: Mapping[str, str]) -> Origin:
        """Return what the next write says of these values; `made` are the passwords that it generates."""
        key = secrets.token_hex(_KEY_BYTES)
        ours = {name: value for name, value in values.items() if self.generated(name, value)} | dict(made)
        seals = {name: _seal(key, name, value) for name, value in ours.items()}
        return Origin((*self.keys[:1], *(*self.keys[1:], key)[1 - KEPT :]), self.write + 1, seals)


def _seal(key: str, name: str, value: str) -> str:
    return hmac.digest(key.encode(), f"{name}\0{value}".encode(), "sha256").hex()
