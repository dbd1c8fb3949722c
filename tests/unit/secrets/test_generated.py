from __future__ import annotations

import re
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from tempo_infra.secrets.content import Content, from_bytes, to_bytes
from tempo_infra.secrets.generated import generated, public_key
from tempo_infra.secrets.origin import Origin


def test_a_password_is_256_random_bits() -> None:
    one, other = generated("temporal_db"), generated("temporal_db")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", one)
    assert one != other


def test_a_key_is_one_that_ssh_takes_and_that_the_file_keeps() -> None:
    name, private = "backup_ssh_key", generated("backup_ssh_key")
    load_ssh_private_key(private.encode(), None)
    assert re.fullmatch(r"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}", public_key(private))
    assert private in _kept({name: private}).values()


def _kept(values: dict[str, str]) -> dict[str, str]:
    """What the file gives back."""
    content = Content(values, origin=Origin(("0" * 64,), 1, {}))
    return dict(from_bytes(Path("secrets.age"), to_bytes(content)).values)
