"""How a value is written in each format, so that it reads back as itself and as nothing else.

Each function takes a value and returns text for exactly one place in a file: a whole scalar, a name, or the
rest of a comment. A value that the format can't hold raises ValueError.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Scalar = str | int | float | bool

PLAIN_YAML = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
YAML_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
PLAIN_PGCONF = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]*|-?[0-9]+(\.[0-9]+)?(B|kB|MB|GB|TB|us|ms|s|min|h|d)?")
PGCONF_ESCAPES = {"'": "''", "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
NOT_PRINTABLE = re.compile(r"[^ -~]")  # of ASCII
NOT_IN_YAML = re.compile(r"[^ !#-\[\]-~]")  # nor a quote or a backslash
NOT_IN_PGCONF = re.compile(r"['\\\x00-\x1f\ud800-\udfff]")


def yaml(value: Scalar) -> str:
    """Write a YAML 1.1 and 1.2 scalar: plain where both read it as that string, else double-quoted ASCII."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    if PLAIN_YAML.fullmatch(value) and value.lower() not in YAML_WORDS:
        return value
    return f'"{NOT_IN_YAML.sub(_yaml_escape, value)}"'


def compose(value: Scalar) -> str:
    """Write a YAML scalar that Compose does not interpolate: `$` doubled."""
    return yaml(value.replace("$", "$$") if isinstance(value, str) else value)


def pgconf(value: Scalar) -> str:
    """Write a value of postgresql.conf; quoted and escaped unless it is a plain number, word or size."""
    if isinstance(value, bool):
        return "on" if value else "off"
    text = _number(value) if isinstance(value, int | float) else value
    if PLAIN_PGCONF.fullmatch(text):
        return text
    return f"'{NOT_IN_PGCONF.sub(_pgconf_escape, text)}'"


def pgname(value: Scalar) -> str:
    """Write a parameter's name in postgresql.conf."""
    return _only(value, r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*", "a PostgreSQL parameter")


def hba(value: Scalar) -> str:
    """Write one field of pg_hba.conf; words, names and addresses only."""
    return _only(value, r"[A-Za-z0-9_][A-Za-z0-9_.:/,-]*", "a field of pg_hba.conf")


def ident(value: Scalar) -> str:
    """Write one field of pg_ident.conf; a name, no pattern."""
    return _only(value, r"[A-Za-z0-9_][A-Za-z0-9_-]*", "a field of pg_ident.conf")


def sysctl(value: Scalar) -> str:
    """Write a key or a value of sysctl.d: a word, a number, or several of them with single spaces between."""
    return _only(value, r"[A-Za-z0-9][A-Za-z0-9_./*-]*( [0-9-]+)*", "a sysctl key or value")


def limits(value: Scalar) -> str:
    """Write a field of limits.d: digits or a word."""
    return _only(value, r"[A-Za-z0-9*-]+", "a field of limits.conf")


def tmpfiles(value: Scalar) -> str:
    """Write a field of tmpfiles.d: a path or a word, without the `%` specifiers."""
    return _only(value, r"[A-Za-z0-9/][A-Za-z0-9_./+-]*", "a field of tmpfiles.d")


def unit(value: Scalar) -> str:
    """Write a path, a name or an address in a unit of systemd, without its `%` and `$`."""
    return _only(value, r"[A-Za-z0-9/][A-Za-z0-9_./:-]*", "a word of a systemd unit")


def ini(value: Scalar) -> str:
    """Write a key or a value of pgbackrest.conf: a word."""
    return _only(value, r"[A-Za-z0-9/][A-Za-z0-9_./:+=@-]*", "a word of pgbackrest.conf")


def sh(value: Scalar) -> str:
    """Write one word of a shell script."""
    if isinstance(value, bool) or "\0" in str(value):
        raise ValueError(f"{value!r} is not a word of a shell script")
    return shlex.quote(str(value))


def comment(value: Scalar) -> str:
    """Write the rest of a comment line: printable ASCII, everything else as `?`."""
    return NOT_PRINTABLE.sub("?", str(value))


FORMATS: dict[str, Callable[[Scalar], str]] = {
    "yaml": yaml,
    "compose": compose,
    "pgconf": pgconf,
    "pgname": pgname,
    "hba": hba,
    "ident": ident,
    "sysctl": sysctl,
    "limits": limits,
    "tmpfiles": tmpfiles,
    "unit": unit,
    "ini": ini,
    "sh": sh,
    "comment": comment,
}


def _number(value: float) -> str:
    text = repr(value)
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        raise ValueError(f"{text} is not a plain number")
    return text


def _yaml_escape(found: re.Match[str]) -> str:
    character, code = found[0], ord(found[0])
    if 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004  # the surrogates
        raise ValueError("half a surrogate pair is no character")
    if character in YAML_ESCAPES:
        return YAML_ESCAPES[character]
    if code <= 0xFF:  # noqa: PLR2004  # one byte
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004  # two bytes


def _pgconf_escape(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\0" or ord(character) >= 0xD800:  # noqa: PLR2004  # the surrogates
        raise ValueError("postgresql.conf can't hold a NUL or half a surrogate pair")
    return PGCONF_ESCAPES.get(character, character)


def _only(value: Scalar, pattern: str, what: str) -> str:
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not {what}")  # noqa: TRY004  # one kind of error for "can't hold it"
    text = str(value)
    if not re.fullmatch(pattern, text, re.ASCII):
        raise ValueError(f"{text!r} is not {what}")
    return text
