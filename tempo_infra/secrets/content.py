"""What stands inside the secrets file, strictly read: a hand-edited one may be wrong."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from tempo_infra.errors import InputError
from tempo_infra.secrets.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_VERSION: Final = 2
_WITHOUT_ORIGIN: Final = 1  # as written before files had an origin
FEWEST_DIFFERENT: Final = 8
GUESSED: Final = ("password", "changeme", "temporal", "postgres", "secret", "123456", "qwerty")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}(\.[a-z0-9][a-z0-9-]{0,62})?")  # "db_password", "key.host-1"
# RFC 7468, as programs write it: several blocks, no text around them, no headers in them.
_PEM: Final = re.compile(
    r"(-----BEGIN ([A-Z0-9]+(?: [A-Z0-9]+)*)-----\n(?:[A-Za-z0-9+/=]{1,76}\n)+-----END \2-----(?:\n|\Z))+"
)
LONGEST_CHARACTERS: Final = 65536  # of a value: hosts read no more
_RECIPIENT: Final = re.compile(r"age1[a-z0-9]{50,100}|ssh-(ed25519|rsa) [A-Za-z0-9+/=]{60,2000}")
SHORTEST_CHARACTERS: Final = 16  # below that a password can be guessed from a stolen verifier


@dataclass(frozen=True, slots=True)
class Content:
    """The secrets by name, for whom they were encrypted, and what the file follows from."""

    values: Mapping[str, str] = field(repr=False)
    recipients: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)


def to_bytes(content: Content) -> bytes:
    document = {
        "version": _VERSION,
        "secrets": dict(content.values),
        "recipients": list(content.recipients),
        "origin": {
            "write": content.origin.write,
            "keys": list(content.origin.keys),
            "generated": dict(content.origin.seals),
        },
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def from_bytes(path: Path, data: bytes) -> Content:
    """Read the decrypted document; InputError, never with a value in it, for anything unexpected."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    version = document.get("version") if isinstance(document, dict) else None
    if version not in (_VERSION, _WITHOUT_ORIGIN) or isinstance(version, bool):
        raise _wrong(path, f"its content is not version {_VERSION} of the secrets file's format")
    values, recipients = document.get("secrets"), document.get("recipients")
    if not (_is_text_mapping(values) and _is_text_list(recipients)):
        raise _wrong(path, "secrets must be texts by name, recipients a list of texts")
    if not (all(map(_NAME.fullmatch, values)) and all(map(_RECIPIENT.fullmatch, recipients))):
        raise _wrong(path, "a secret's name or a recipient looks like none")  # both are shown
    _refuse_weak(path, values)
    origin = _origin(path, document.get("origin")) if version == _VERSION else Origin()
    return Content(dict(values), tuple(recipients), origin)


def _origin(path: Path, found: Any) -> Origin:  # noqa: ANN401 - a JSON value
    keys, seals, write = (
        (found.get(name) for name in ("keys", "generated", "write")) if found else (None,) * 3
    )
    if not (_is_text_list(keys) and keys and _is_text_mapping(seals) and type(write) is int and write > 0):
        raise _wrong(path, "what it follows from can't be read")
    return Origin(tuple(keys), write, dict(seals))


def _refuse_weak(path: Path, values: Mapping[str, str]) -> None:
    seen: dict[str, str] = {}
    for name, value in values.items():
        if len(value) < SHORTEST_CHARACTERS:
            raise _wrong(path, f"{name} is shorter than {SHORTEST_CHARACTERS} characters")
        if len(value) > LONGEST_CHARACTERS:
            raise _wrong(path, f"{name} is longer than {LONGEST_CHARACTERS} characters")
        is_pem = _PEM.fullmatch(value) is not None
        if not is_pem and not (value.isascii() and value.isprintable()):
            raise _wrong(path, f"{name} holds characters outside printable ASCII, and is no PEM")
        if value in seen:
            raise _wrong(path, f"{name} equals {seen[value]}")
        if not is_pem and (weakness := _weakness(value)):
            raise _wrong(path, f"{name} {weakness}")
        seen[value] = name


def _weakness(value: str) -> str:
    """Say why a long password is guessed first; the word that it holds says nothing about the rest."""
    if word := next((one for one in GUESSED if one in value.casefold()), None):
        return f"holds the word {word!r}, which is guessed first"
    if len(set(value)) < FEWEST_DIFFERENT:
        return f"has fewer than {FEWEST_DIFFERENT} different characters"
    return ""


def _is_text_mapping(value: object) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _is_text_list(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _wrong(path: Path, what: str) -> InputError:
    return InputError(
        f"{path}: {what}",
        remedy="put back the last good version (git log), or read the passwords from the hosts: "
        "tempo-infra secrets recover",
    )
