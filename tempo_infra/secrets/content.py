"""What stands inside the secrets file, strictly read: a hand-edited one may be wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeGuard

from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_VERSION: Final = 1
FEWEST_DIFFERENT: Final = 8
GUESSED: Final = ("password", "changeme", "temporal", "postgres", "secret", "123456", "qwerty")
SHORTEST_CHARACTERS: Final = 16  # below that a password can be guessed from a stolen verifier


@dataclass(frozen=True, slots=True)
class Content:
    """The secrets by name, who could read them after the last write, and which of those are operators.

    Operators are keys that wrote the file and that no inventory lists: without them, a colleague's
    write would lock the first operator out.
    """

    values: Mapping[str, str] = field(repr=False)
    operators: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()


def to_bytes(content: Content) -> bytes:
    document = {
        "version": _VERSION,
        "secrets": dict(content.values),
        "operators": list(content.operators),
        "recipients": list(content.recipients),
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def from_bytes(path: Path, data: bytes) -> Content:
    """Read the decrypted document; InputError, never with a value in it, for anything unexpected."""
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise _wrong(path, f"its content is not version {_VERSION} of the secrets file's format")
    values = document.get("secrets")
    operators, recipients = document.get("operators"), document.get("recipients")
    if not (_is_text_mapping(values) and _is_text_list(operators) and _is_text_list(recipients)):
        raise _wrong(path, "secrets must be texts by name, operators and recipients lists of texts")
    _refuse_weak(path, values)
    return Content(dict(values), tuple(operators), tuple(recipients))


def _refuse_weak(path: Path, values: Mapping[str, str]) -> None:
    seen: dict[str, str] = {}
    for name, value in values.items():
        if len(value) < SHORTEST_CHARACTERS:
            raise _wrong(path, f"{name} is shorter than {SHORTEST_CHARACTERS} characters")
        if not (value.isascii() and value.isprintable()):
            raise _wrong(path, f"{name} holds characters outside printable ASCII")
        if value in seen:
            raise _wrong(path, f"{name} equals {seen[value]}")
        if weakness := _weakness(value):
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
        remedy="put back the last good version, or correct it with `age` (docs/explanation/secrets.md)",
    )
