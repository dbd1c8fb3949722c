"""Secrets: what they are, where they lie, and where a file of them comes from."""

from tempo_infra.secrets.origin import Origin
from tempo_infra.secrets.redact import redactor
from tempo_infra.secrets.scram import scram_sha_256
from tempo_infra.secrets.secret import (
    TEMPORAL_DB,
    Secret,
    Secrets,
)
from tempo_infra.secrets.store import Found, SecretStore

__all__ = [
    "TEMPORAL_DB",
    "Found",
    "Origin",
    "Secret",
    "SecretStore",
    "Secrets",
    "redactor",
    "scram_sha_256",
]
