"""Secrets: what they are, where they lie, and how to show that one changed without showing it."""

from tempo_infra.secrets.redact import redactor
from tempo_infra.secrets.scram import scram_sha_256
from tempo_infra.secrets.secret import (
    DIGEST_KEY,
    TEMPORAL_DB,
    Secret,
    Secrets,
    keyed_digest,
)
from tempo_infra.secrets.store import SecretStore

__all__ = [
    "DIGEST_KEY",
    "TEMPORAL_DB",
    "Secret",
    "SecretStore",
    "Secrets",
    "keyed_digest",
    "redactor",
    "scram_sha_256",
]
