"""PostgreSQL's stored form of a password, made here so that plain text never reaches an SQL log."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from tempo_infra.secrets.secret import Secret

ITERATIONS: Final = 4096  # PostgreSQL's default of scram_iterations, and RFC 7677's least
SALT_BYTES: Final = 16  # what PostgreSQL itself takes (SCRAM_DEFAULT_SALT_LEN)


def scram_sha_256(password: Secret, *, salt: bytes, iterations: int = ITERATIONS) -> str:
    """Return the verifier that `ALTER ROLE … PASSWORD '…'` stores as it is.

    The form is `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, base64 inside
    (RFC 5803, https://www.postgresql.org/docs/17/catalog-pg-authid.html).
    Printable ASCII only: there SASLprep changes nothing. InputError for anything else, without the value.
    """
    if not (password.value.isascii() and password.value.isprintable() and password.value):
        raise InputError(
            f"secret {password.name!r} holds characters outside printable ASCII, or none",
            remedy="correct it in the secrets file (docs/explanation/secrets.md)",
        )
    salted = hashlib.pbkdf2_hmac("sha256", password.value.encode("ascii"), salt, iterations)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{_text(salt)}${_text(stored_key)}:{_text(server_key)}"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
