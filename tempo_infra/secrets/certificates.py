"""Until when certificates among the secrets hold."""

from __future__ import annotations

from typing import Final

_BEGINS: Final = "-----BEGIN CERTIFICATE-----"


def not_after(value: str) -> str:
    """Return when the first of the certificates in a value ends ("2027-03-01T00:00:00Z"); "" for none."""
    if not value.startswith(_BEGINS):
        return ""
    from cryptography import x509  # paramiko needs it; a cluster without certificates does not load it

    try:
        found = x509.load_pem_x509_certificates(value.encode())
    except ValueError:
        return ""  # who reads it says what is wrong with it
    return f"{min(one.not_valid_after_utc for one in found):%Y-%m-%dT%H:%M:%SZ}"
