"""Readers of the formats that are rendered, as strict as what reads them on the host."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import yaml as pyyaml

from tempo_infra.inventory import document
from tempo_infra.render import go_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tempo_infra.inventory.problems import Problem

MOST_CHARACTERS = 1 << 20  # of a file in YAML; none that is rendered is longer
LONGEST_LIMIT = 1000  # bytes of a line of limits.d: pam_limits takes 1023 for one
BLANK = " \t"  # all that is one for the programs on a host; Python knows 27 more
PGCONF_LINE = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*"
    r"(?P<value>'(?:[^'\\\n]|\\.|'')*'|[A-Za-z0-9_.:/+-]+)[ \t]*(?:#.*)?"
)
PGCONF_ESCAPE = re.compile(r"''|\\([0-7]{1,3}|.)")
FIELDS = re.compile(r"[A-Za-z0-9_.:/,+=$ \t-]*")
OCTAL = "01234567"
PGCONF_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def yaml(text: str) -> object:
    """Read YAML as the servers do, of ours or of a host: so it is bounded, and has no aliases. ValueError."""
    return _value(_tree(text))


def refuse_ambiguous(text: str) -> None:
    """ValueError for YAML whose meaning depends on who reads it on the host.

    Readers differ in merges, in keys that are no text, and in words such as `yes`. None of that is needed.
    """
    if place := next(_unclear(_tree(text), "the file"), ""):
        raise ValueError(f"{place}: readers of YAML differ in what this means; quote it")


def _tree(text: str) -> document.Node:
    """Return the tree of its events, up to what is too much: the library composes first, and would crash."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"longer than {MOST_CHARACTERS} characters")
    try:
        root, duplicates = document.parse(text)
    except document.MalformedError as error:
        raise ValueError(_told(error.problem)) from error
    except pyyaml.YAMLError as error:  # a character that no YAML has
        raise ValueError(str(error)) from error
    if duplicates:
        raise ValueError(_told(duplicates[0]))
    return root


def _value(node: document.Node) -> object:
    if isinstance(node, document.Mapping):
        return {_plain(entry.key): _value(entry.node) for entry in node.entries.values()}
    if isinstance(node, document.Sequence):
        return [_value(item) for item in node.items]
    return _plain(node)


def _plain(scalar: document.Scalar) -> go_yaml.Plain:
    return go_yaml.resolve(scalar.text) if scalar.plain else scalar.text


def _unclear(node: document.Node, place: str) -> Iterator[str]:
    if isinstance(node, document.Mapping):
        for name, entry in node.entries.items():
            if entry.key.plain and (go_yaml.is_unclear(name) or not isinstance(go_yaml.resolve(name), str)):
                yield place
            yield from _unclear(entry.node, f"{place}: {name}")
    elif isinstance(node, document.Sequence):
        for number, item in enumerate(node.items):
            yield from _unclear(item, f"{place}[{number}]")
    elif node.plain and go_yaml.is_unclear(node.text):
        yield place


def _told(problem: Problem) -> str:
    where = f"line {problem.mark.line}, column {problem.mark.column}: " if problem.mark else ""
    return where + problem.what


def compose(text: str) -> object:
    """Read a compose file, after interpolation. ValueError where a variable would be put in."""
    return _interpolated(yaml(text))


def pgconf(text: str) -> dict[str, str]:
    """Read postgresql.conf as the server does. ValueError for a line it refuses or a name given twice.

    The server takes any letters for a name, small or large, and the last of two lines in silence.
    """
    found: dict[str, str] = {}
    spelt: dict[str, str] = {}
    for number, line in _lines(text):
        match = PGCONF_LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number}: {line!r} is not `name = value`")
        name = match["name"]
        if (first := spelt.get(name.casefold())) is not None:
            other = "" if first == name else f", as {first} too"
            raise ValueError(f"line {number}: {name} stands there twice{other}")
        spelt[name.casefold()] = name
        found[match["name"]] = _unquote(match["value"])
    return found


def fields(text: str) -> list[list[str]]:
    """Read pg_hba.conf or pg_ident.conf, in plain fields only. ValueError for all else.

    PostgreSQL also reads quotes, files that are included, patterns, lines that go on (a comment, too), and a
    list with blanks in it as one field.
    """
    found = []
    for number, line in _numbered(text):
        code = line.partition("#")[0].strip(BLANK)
        if line.rstrip().endswith("\\"):
            raise ValueError(f"line {number}: a backslash at the end makes it one with the next line")
        if not re.fullmatch(FIELDS, code):
            raise ValueError(
                f"line {number}: {code!r}: plain fields only, without quotes, `@`, `\\` and the like"
            )
        names = _split(code)
        if any(name.startswith(",") or name.endswith(",") for name in names):
            raise ValueError(f"line {number}: {code!r}: no blank in a list")
        found += [names] if names else []
    return found


def places(text: str) -> list[int]:
    """Return the number of each line that `fields` takes for one."""
    return [number for number, line in _numbered(text) if line.partition("#")[0].strip(BLANK)]


def sysctl(text: str) -> dict[str, str]:
    """Read sysctl.d: `key = value`."""
    found: dict[str, str] = {}
    for number, line in _lines(text):
        key, equals, value = (part.strip(BLANK) for part in line.partition("="))
        if not equals or key in found:
            raise ValueError(f"line {number}: {line!r} is not a new `key = value`")
        found[key] = value
    return found


def ini(text: str) -> dict[str, str]:
    """Read pgbackrest.conf: `[section]`, then `key=value`; by `section:key`. ValueError for all else."""
    found: dict[str, str] = {}
    section = ""
    for number, line in _lines(text):
        if header := re.fullmatch(r"\[([a-z0-9:-]+)\]", line):
            section = header[1]
            continue
        key, equals, value = line.partition("=")
        if not (section and equals and value) or f"{section}:{key}" in found:
            raise ValueError(f"line {number}: {line!r} is not a new `key=value` of a section")
        found[f"{section}:{key}"] = value
    return found


def words(text: str) -> list[list[str]]:
    """Read a table of words, as tmpfiles.d and the lines of a systemd unit: a comment is a whole line."""
    return [_split(line) for _, line in _lines(text)]


def limits(text: str) -> list[list[str]]:
    """Read limits.d, where a comment may stand behind the words. ValueError for a line that is too long.

    To the pam_limits of Debian 12 (1.5.2) the rest of one is a line of its own, a comment's too; to that of
    Debian 13 (1.7.0) it is not.
    """
    for number, line in _numbered(text):
        if len(line.encode()) > LONGEST_LIMIT:
            raise ValueError(f"line {number}: longer than {LONGEST_LIMIT} bytes")
    return [_split(line.partition("#")[0]) for _, line in _lines(text)]


def sh(text: str) -> list[str]:
    """Read a shell script: its words, without their quotes."""
    return shlex.split(text, comments=True)


READERS: dict[str, Callable[[str], Any]] = {
    "yaml": yaml,
    "compose": compose,
    "pgconf": pgconf,
    "sysctl": sysctl,
    "hba": fields,
    "ident": fields,
    "limits": limits,
    "tmpfiles": words,
    "unit": words,
    "ini": ini,
    "sh": sh,
}


def _interpolated(value: object) -> object:
    if isinstance(value, dict):
        if wrong := next((key for key in value if "$" in str(key)), None):
            raise ValueError(f"Compose leaves the $ in the key {wrong!r} as it is; use none there")
        return {key: _interpolated(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolated(item) for item in value]
    if isinstance(value, str) and "$" in value:
        if "$" in value.replace("$$", ""):
            raise ValueError(f"Compose would replace a variable in {value!r}; write $$")
        return value.replace("$$", "$")
    return value


def _lines(text: str) -> list[tuple[int, str]]:
    stripped = ((number, line.strip(BLANK)) for number, line in _numbered(text))
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]


def _split(line: str) -> list[str]:
    return [word for word in re.split(f"[{BLANK}]+", line) if word]


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    return enumerate(text.split("\n"), start=1)


def _unquote(value: str) -> str:
    if not value.startswith("'"):
        return value
    return PGCONF_ESCAPE.sub(_unescape, value[1:-1])


def _unescape(found: re.Match[str]) -> str:
    escaped = found[1]
    if escaped is None:
        return "'"
    if escaped[0] in OCTAL:
        if not 0 < int(escaped, 8) < 128:  # noqa: PLR2004 - ASCII
            raise ValueError(f"\\{escaped}: the server takes eight bits of it; write the character itself")
        return chr(int(escaped, 8))
    return PGCONF_LETTERS.get(escaped, escaped)
