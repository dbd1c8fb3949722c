"""What a secret is made of that nobody has given: a random word, or a key of the kind that its name says."""

from __future__ import annotations

import secrets
from typing import Final

RANDOM_BYTES: Final = 32
SSH_KEY: Final = "_ssh_key"  # the end of such a secret's name


def generated(name: str) -> str:
    """Return a new value for the secret of that name."""
    return _ssh_key() if name.endswith(SSH_KEY) else secrets.token_urlsafe(RANDOM_BYTES)


def public_key(private: str) -> str:
    """Return the public half of an SSH key as a line of authorized_keys, without a comment. ValueError."""
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_ssh_private_key(private.encode(), None)
    form = serialization.PublicFormat.OpenSSH
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, form).decode()


def _ssh_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        .decode()
    )
