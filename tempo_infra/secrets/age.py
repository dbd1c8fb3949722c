"""The secrets file as bytes: encrypting for recipients, decrypting, and saying why it can't be opened."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import pyrage

from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tempo_infra.secrets.identity import Identity

_VERSION_LINE: Final = b"age-encryption.org/v1\n"
_ARMOR: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
_SCRYPT: Final = b"\n-> scrypt "
_KINDS: Final = {b"X25519": "age", b"ssh-ed25519": "ssh-ed25519", b"ssh-rsa": "ssh-rsa"}


def encrypt(data: bytes, recipients: Iterable[str]) -> bytes:
    """Encrypt for every recipient; InputError names one that is no key."""
    return bytes(pyrage.encrypt(data, [parse_recipient(text) for text in recipients]))


def parse_recipient(text: str) -> object:
    """Read `age1…`, `ssh-ed25519 …` or `ssh-rsa …`; InputError for anything else."""
    make = pyrage.ssh.Recipient.from_str if text.startswith("ssh-") else pyrage.x25519.Recipient.from_str
    try:
        parsed: object = make(text)
    except pyrage.RecipientError as error:
        hint = (
            "that is a PRIVATE key: take it out of the inventory and replace it"
            if "SECRET" in text.upper()
            else ""
        )
        shown = "AGE-SECRET-KEY-…" if hint else f"{text[:40]}"
        raise InputError(
            f"secrets.recipients: {shown!r} is no age or SSH public key",
            remedy=hint or "expected age1…, ssh-ed25519 … or ssh-rsa … (one line of a .pub file)",
        ) from error
    return parsed


def decrypt(path: Path, data: bytes, identities: Sequence[Identity]) -> bytes:
    """Decrypt; InputError says whether the file is damaged or meant for others, and what to do."""
    _refuse_other_formats(path, data)
    plain = io.BytesIO()
    keys = [key for identity in identities for key in identity.keys]
    try:
        pyrage.decrypt_io(io.BytesIO(data), plain, keys)
    except pyrage.DecryptError as error:  # raised for the head: no key fits it
        raise _not_for_us(path, data, identities) from error
    except OSError as error:  # a key fitted, what follows the head is not what was written
        raise InputError(
            f"{path} is damaged: a key of yours fits, but its content fails verification", remedy=_RESTORE
        ) from error
    return plain.getvalue()


_RESTORE: Final = (
    "put back the last good version (git checkout, backup); the hosts still hold the passwords in use"
)


def _refuse_other_formats(path: Path, data: bytes) -> None:
    if data.startswith(_ARMOR):
        return
    if not data.startswith(_VERSION_LINE) or b"\n--- " not in data:
        raise InputError(f"{path} is damaged or no age file ({len(data)} bytes)", remedy=_RESTORE)
    if _SCRYPT in data[: data.index(b"\n--- ")]:
        raise InputError(
            f"{path} is encrypted with a passphrase; tempo-infra uses keys, so that no one types one",
            remedy="decrypt it with `age -d` and encrypt it again with `age -r age1…`",
        )


def _not_for_us(path: Path, data: bytes, identities: Sequence[Identity]) -> InputError:
    tried = "; ".join(
        f"{one.path} ({', '.join(short(key) for key in one.recipients) or 'SSH key'})" for one in identities
    )
    mine = next(
        (key for one in identities for key in one.recipients), "what `tempo-infra secrets identity` says"
    )
    return InputError(
        f"{path} can't be opened with your keys\n"
        f"  encrypted for  {described(data)}\n"
        f"  tried          {tried or 'nothing: you have no identity yet'}",
        remedy=(
            "New to this cluster? Someone who can open it adds this line to secrets.recipients and runs\n"
            f"  `tempo-infra secrets rekey`:  {mine}\n"
            "  Lost your identity? Put it back from its backup, or ask another recipient the same way.\n"
            "  Nobody can open it? `tempo-infra secrets recover` reads the passwords from the hosts."
        ),
    )


def recipients_in(data: bytes) -> int:
    """Return for how many keys the file is encrypted, whatever its content says; 0 where that isn't shown."""
    if data.startswith(_ARMOR):
        return 0
    return sum(kind in _KINDS for kind in _stanzas(data))


def described(data: bytes) -> str:
    """Say for how many keys of which kind the file is encrypted; an age file names none of them."""
    if data.startswith(_ARMOR):
        return "keys that an armored file doesn't show here"
    kinds = [_KINDS.get(kind) for kind in _stanzas(data)]
    counted = {kind: kinds.count(kind) for kind in kinds if kind}
    return ", ".join(f"{count} {kind} key{'s' if count > 1 else ''}" for kind, count in counted.items())


def _stanzas(data: bytes) -> list[bytes]:
    """Return the kinds that the head names, one a recipient; among them such as mean nothing (grease)."""
    head = data[: data.index(b"\n--- ")].splitlines()
    return [line.split(b" ")[1] for line in head if line.startswith(b"-> ")]


def short(recipient: str) -> str:
    """Return a recipient short enough for a line: age keys whole, of SSH keys the end."""
    kind, _, key = recipient.partition(" ")
    if not kind.startswith("ssh-"):
        return recipient
    return f"{kind} …{key.split(' ')[0][-12:]}" if key else recipient
