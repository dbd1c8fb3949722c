"""Readers of the formats that are rendered, as strict as what reads them on the host."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import yaml as pyyaml

from tempo_infra.inventory.document import LOADER

if TYPE_CHECKING:
    from collections.abc import Callable

PGCONF_LINE = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(?P<value>'(?:[^'\\\n]|\\.|'')*'|[^\s#']+)\s*(?:#.*)?"
)
PGCONF_ESCAPE = re.compile(r"''|\\([0-7]{1,3}|.)")
PGCONF_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def yaml(text: str) -> object:
    """Read YAML; ValueError when it is none."""
    try:
        return pyyaml.load(text, Loader=LOADER)  # noqa: S506  # a safe loader, by its type
    except pyyaml.YAMLError as error:
        raise ValueError(str(error)) from error


def compose(text: str) -> object:
    """Read a compose file, after interpolation. ValueError where a variable would be put in."""
    return _interpolated(yaml(text))


def pgconf(text: str) -> dict[str, str]:
    """Read postgresql.conf as the server does. ValueError for a line it refuses or a name given twice."""
    found: dict[str, str] = {}
    for number, line in _lines(text):
        match = PGCONF_LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number}: {line!r} is not `name = value`")
        if match["name"] in found:
            raise ValueError(f"line {number}: {match['name']} stands there twice")
        found[match["name"]] = _unquote(match["value"])
    return found


def sysctl(text: str) -> dict[str, str]:
    """Read sysctl.d: `key = value`."""
    found: dict[str, str] = {}
    for number, line in _lines(text):
        key, equals, value = line.partition("=")
        if not equals or key.strip() in found:
            raise ValueError(f"line {number}: {line!r} is not a new `key = value`")
        found[key.strip()] = value.strip()
    return found


def words(text: str) -> list[list[str]]:
    """Read a table of words: limits.d, tmpfiles.d, pg_hba.conf, pg_ident.conf, lines of a systemd unit."""
    return [line.partition("#")[0].split() for _, line in _lines(text)]


def sh(text: str) -> list[str]:
    """Read a shell script: its words, without their quotes."""
    return shlex.split(text, comments=True)


READERS: dict[str, Callable[[str], Any]] = {
    "yaml": yaml,
    "compose": compose,
    "pgconf": pgconf,
    "sysctl": sysctl,
    "hba": words,
    "ident": words,
    "limits": words,
    "tmpfiles": words,
    "unit": words,
    "sh": sh,
}


def _interpolated(value: object) -> object:
    if isinstance(value, dict):
        return {_interpolated(key): _interpolated(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolated(item) for item in value]
    if isinstance(value, str) and "$" in value:
        if "$" in value.replace("$$", ""):
            raise ValueError(f"Compose would replace a variable in {value!r}; write $$")
        return value.replace("$$", "$")
    return value


def _lines(text: str) -> list[tuple[int, str]]:
    numbered = enumerate((line.strip() for line in text.split("\n")), start=1)
    return [(number, line) for number, line in numbered if line and not line.startswith("#")]


def _unquote(value: str) -> str:
    if not value.startswith("'"):
        return value
    return PGCONF_ESCAPE.sub(_unescape, value[1:-1])


def _unescape(found: re.Match[str]) -> str:
    escaped = found[1]
    if escaped is None:
        return "'"
    if escaped.isdigit():
        return chr(int(escaped, 8))
    return PGCONF_LETTERS.get(escaped, escaped)
