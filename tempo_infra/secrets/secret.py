"""A secret that can't be printed by accident, and a digest that says only whether it changed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TEMPORAL_DB: Final = "temporal_db"  # password of the database role `temporal`
DIGEST_KEY: Final = "digest_key"  # key of the digests that stand in plans and on hosts; no password

DIGEST_HEX_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Secret:
    """A named secret. repr, str and format show the name; `.value` is for the code that sends it."""

    name: str
    value: str = field(repr=False)


Secrets = Mapping[str, Secret]


def keyed_digest(secret: Secret, key: Secret) -> str:
    """Return 12 hex digits that change with the secret and can't be guessed without the key.

    The name is part of it, so two secrets of equal value have different digests.
    """
    message = f"{secret.name}\0{secret.value}".encode()
    return hmac.new(key.value.encode(), message, hashlib.sha256).hexdigest()[:DIGEST_HEX_DIGITS]
