"""The keys that open the secrets file: the operator's own, made at first use, or one that is named."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyrage

from tempo_infra import trees
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE: Final = "TEMPO_INFRA_IDENTITY"
FILE_NAME: Final = "identity.txt"
_LARGEST_BYTES: Final = 64 * 1024
_AGE_KEY: Final = "AGE-SECRET-KEY-1"
_OPENSSH_MAGIC: Final = b"openssh-key-v1\0"


@dataclass(frozen=True, slots=True)
class Identity:
    """A private key: where it lies, what pyrage makes of it, and whom to encrypt for."""

    path: Path
    keys: tuple[object, ...] = field(repr=False)  # pyrage identities
    recipients: tuple[str, ...]  # "age1…" or "ssh-ed25519 …"; empty where the file doesn't tell


def default_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Return the user's config folder (XDG base directory specification)."""
    base = environ.get("XDG_CONFIG_HOME", "")
    root = home / ".config" if not base.startswith("/") else home.__class__(base)
    return root / "tempo-infra"


def read(path: Path) -> Identity:
    """Read an age identity file or an SSH private key.

    InputError when it is missing, readable by others, somebody else's, protected by a passphrase or damaged.
    """
    data = _read_private(path)
    if data.startswith((b"age-encryption.org/v1", b"-----BEGIN AGE ENCRYPTED FILE")):
        raise InputError(
            f"the identity {path} is itself encrypted with a passphrase",
            remedy=f"decrypt it once (age -d), keep the result 0600, and let {VARIABLE} name that file",
        )
    if data.lstrip().startswith(b"-----BEGIN "):
        return _read_ssh(path, data)
    return _read_age(path, data)


def create(path: Path) -> Identity:
    """Make a new age identity (file 0600, folder 0700); if another process was first, return that one."""
    key = pyrage.x25519.Identity.generate()
    lines = (
        "# tempo-infra: your identity; it opens secrets files. Keep a copy.",
        f"# public key: {key.to_public()}",
    )
    try:
        trees.create(path, "\n".join((*lines, str(key), "")).encode())
    except trees.UnfitError as error:
        raise InputError(
            f"can't make your identity: {error.what}",
            remedy=f"let {VARIABLE} name an age identity or an SSH key instead",
        ) from error
    return read(path)


def _read_private(path: Path) -> bytes:
    try:
        return trees.read(path, _LARGEST_BYTES, private=True)
    except FileNotFoundError as error:
        raise InputError(f"can't read the identity {path}: there is none") from error
    except trees.UnfitError as error:
        raise InputError(f"the identity {error.what}", remedy=error.remedy) from error


def _read_age(path: Path, data: bytes) -> Identity:
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    texts = [line for line in lines if line and not line.startswith("#")]
    if not texts or any(not text.startswith(_AGE_KEY) for text in texts):
        raise InputError(
            f"{path} is no identity: expected lines {_AGE_KEY}… or an SSH private key",
            remedy=f"put it back from its backup, or let {VARIABLE} name the right file",
        )
    try:
        keys = tuple(pyrage.x25519.Identity.from_str(text) for text in texts)
    except pyrage.IdentityError as error:
        raise InputError(
            f"the identity {path} is damaged (its checksum is wrong)", remedy="put it back from its backup"
        ) from error
    return Identity(path, keys, tuple(str(key.to_public()) for key in keys))


def _read_ssh(path: Path, data: bytes) -> Identity:
    if _is_encrypted(data):
        raise InputError(
            f"the SSH key {path} is protected by a passphrase, which can't be asked for here",
            remedy=f"use an age identity instead: unset {VARIABLE}, and one is made for you at first use",
        )
    try:
        key = pyrage.ssh.Identity.from_buffer(data)
    except pyrage.IdentityError as error:
        raise InputError(
            f"the SSH key {path} can't open secrets: it is damaged, or neither ssh-ed25519 nor ssh-rsa",
            remedy="name an ssh-ed25519 key or an age identity",
        ) from error
    public = _public_part(data)
    return Identity(path, (key,), (public,) if public else ())


def _is_encrypted(data: bytes) -> bool:
    if b"Proc-Type: 4,ENCRYPTED" in data or b"BEGIN ENCRYPTED PRIVATE KEY" in data:
        return True
    fields = _openssh_fields(data)
    return bool(fields) and fields[0] != b"none"


def _public_part(data: bytes) -> str:
    """Return the public key line; OpenSSH's format carries it in clear, PEM doesn't."""
    fields = _openssh_fields(data)
    if not fields:
        return ""
    blob = fields[-1]
    kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")]
    return f"{kind.decode('ascii', 'replace')} {base64.b64encode(blob).decode('ascii')}"


def _openssh_fields(data: bytes) -> tuple[bytes, ...]:
    """Return (cipher, kdf, kdf options, public key) of an OpenSSH private key; () for other formats.

    Layout: OpenSSH's PROTOCOL.key.
    """
    body = b"".join(line for line in data.splitlines() if line and not line.startswith(b"-----"))
    try:
        raw = base64.b64decode(body, validate=True)
    except binascii.Error:
        return ()
    if not raw.startswith(_OPENSSH_MAGIC):
        return ()
    fields: list[bytes] = []
    at = len(_OPENSSH_MAGIC)
    for index in range(4):
        at += 4 if index == 3 else 0  # noqa: PLR2004 - the number of keys stands before the fourth field
        length = int.from_bytes(raw[at : at + 4], "big")
        fields.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    return tuple(fields)
