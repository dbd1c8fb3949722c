"""The fingerprint of a host's key, as `ssh-keygen -l` prints it. ValueError in plain words."""

from __future__ import annotations

import base64
import binascii
import re

SHA256_BYTES = 32


def fingerprint(text: str) -> str:
    """Return it as it is; `SHA256:` and 43 letters of base64."""
    fingerprint_hex(text)
    return text


def fingerprint_hex(text: str) -> str:
    """Return its digest as 64 hexadecimal digits."""
    found = re.fullmatch(r"SHA256:([A-Za-z0-9+/]{43})=?", text)
    try:
        digest = base64.b64decode(f"{found[1]}=", validate=True) if found else b""
    except binascii.Error:
        digest = b""
    if len(digest) != SHA256_BYTES:
        raise ValueError(
            "not a fingerprint; write the one that `ssh-keyscan HOST | ssh-keygen -lf -` prints, SHA256:..."
        )
    return digest.hex()
