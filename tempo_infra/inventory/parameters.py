"""What each version of PostgreSQL knows: its parameters with their ranges.

The table is a data file beside this module; its first lines say which servers it was read from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from tempo_infra.inventory.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

VERSIONS = (15, 16, 17, 18)
BYTES = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
BOOLEANS = {
    **dict.fromkeys(("on", "true", "yes", "1"), "on"),
    **dict.fromkeys(("off", "false", "no", "0"), "off"),
}
LONGEST_TEXT = 400
LOADING = ("shared_preload_libraries", "session_preload_libraries", "local_preload_libraries")
CLOSE = 0.85  # of a name to one of hundreds that is named in its place
ALWAYS_LOADED = ("plpgsql",)
_NUMBER = re.compile(
    r"([-+]?(?:[0-9]{1,19}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(?:[eE][-+]?[0-9]{1,3})?)\s*([a-zA-Z]*)"
)
_BASED = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]{1,15})|0([0-9]{1,18}))\s*([a-zA-Z]*)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of postgresql.conf, as one major version knows it."""

    name: str
    kind: str  # bool, integer, real, enum or string
    unit: str  # of plain numbers: "8kB", "MB", "s"; "" for none
    low: float
    high: float
    words: tuple[str, ...]  # of an enum
    context: str  # "postmaster": a restart; "sighup": a reload
    default: str  # in `unit`

    @property
    def bounds(self) -> tuple[str, str]:
        """The range of a number, in `unit`."""
        return f"{self.low:.15g}", f"{self.high:.15g}"

    @property
    def default_text(self) -> str:
        """The server's default as people write it: 16384 x 8kB is 128MB."""
        if not self.unit or self.kind not in {"integer", "real"} or float(self.default) <= 0:
            return self.default
        return _readable(float(self.default), self.unit)


@cache
def postgresql(version: int) -> Mapping[str, Parameter]:
    """Return the parameters that a major version knows, by name. KeyError for a version without a table."""
    found = {
        row[0]: _parameter(row)
        for row in rows("postgres_parameters.tsv")
        if int(row[1]) <= version <= int(row[2])
    }
    if not found:
        raise KeyError(version)
    return {name.casefold(): parameter for name, parameter in found.items()}


def checked(version: int, name: str, text: str, libraries: Collection[str] = ()) -> str:
    """Return the value as the server reads it. ValueError in plain words when it would be refused.

    What belongs to a library that is loaded is text: the library knows its range, and a trial start asks it.
    """
    parameter = postgresql(version).get(name.casefold())
    if parameter is None:
        parameter = _of_library(version, name.casefold(), libraries)
    if parameter.kind == "bool":
        return _boolean(text)
    if parameter.kind == "enum":
        return _word(parameter, text)
    if parameter.kind == "string":
        if len(text) > LONGEST_TEXT or not text.isprintable():
            raise ValueError(f"use one line of text, at most {LONGEST_TEXT} characters")
        return text
    _in_range(parameter, in_unit(parameter, text))
    return text


def libraries_in(texts: Iterable[str]) -> frozenset[str]:
    """Return the names in values such as that of shared_preload_libraries, without folder and ending."""
    found = (word.strip().strip("\"'") for text in texts for word in text.split(","))
    return frozenset(word.rpartition("/")[2].removesuffix(".so").casefold() for word in found if word)


def _of_library(version: int, name: str, libraries: Collection[str]) -> Parameter:
    """Return what a parameter of a loaded library is; its prefix is the library's name: cron is pg_cron's."""
    prefix, dot, _ = name.partition(".")
    if not dot:
        hint = did_you_mean(name, postgresql(version), close_to=CLOSE)
        raise ValueError(f"PostgreSQL {version} knows no such parameter{hint}")
    if not {prefix, f"pg_{prefix}"} & {*libraries, *ALWAYS_LOADED}:
        raise ValueError(f"has no effect: no library {prefix} is loaded; name it in shared_preload_libraries")
    return Parameter(name, "string", "", 0, 0, (), "", "")


def _boolean(text: str) -> str:
    """Return on or off; the server takes any beginning of a word that is no other word's."""
    found = {value for word, value in BOOLEANS.items() if text and word.startswith(text.casefold())}
    if len(found) != 1:
        raise ValueError("must be on or off")
    return found.pop()


def _word(parameter: Parameter, text: str) -> str:
    known = {word.casefold(): word for word in parameter.words}
    word = text.casefold()
    if word not in known and BOOLEANS.get(word) not in known:
        raise ValueError(f"must be one of {', '.join(parameter.words)}")
    return known[word] if word in known else BOOLEANS[word]


def in_unit(parameter: Parameter, text: str) -> float:
    """Return a number in the parameter's own unit: "16MB" of work_mem is 16384. ValueError otherwise."""
    found = _NUMBER.fullmatch(_in_tens(text) if parameter.kind == "integer" else text.strip())
    if found is None:
        raise ValueError(
            "must be a number" + (f" with a unit such as {_example(parameter)}" * bool(parameter.unit))
        )
    number, unit = float(found[1]), found[2]
    if not unit:
        return number
    for table in (BYTES, SECONDS):
        count, own = _split(parameter.unit)
        if unit in table and own in table:
            return number * table[unit] / (count * table[own])
    raise ValueError(f"unit {unit!r} does not fit; write it like {_example(parameter)}")


def _in_tens(text: str) -> str:
    """Write a whole number as people do: with 0x or 0 in front the server takes it for another base's."""
    based = _BASED.fullmatch(text.strip())
    if based is None:
        return text.strip()
    sign, sixteens, eights, unit = based.groups()
    try:
        return f"{sign}{int(sixteens, 16) if sixteens else int(eights, 8)} {unit}".rstrip()
    except ValueError:
        raise ValueError(f"a number with 0 in front is octal, which {eights} is not") from None


def in_base(version: int, name: str, text: str) -> float:
    """Return bytes, seconds, or the plain number. ValueError when it is none."""
    parameter = postgresql(version)[name]
    count, own = _split(parameter.unit)
    return in_unit(parameter, text) * count * {**BYTES, **SECONDS}.get(own, 1)


def text_of(table: str) -> str:
    """Return a data file that lies beside this module."""
    return resources.files("tempo_infra.inventory").joinpath(table).read_text("utf-8")


def rows(table: str) -> Iterator[list[str]]:
    return (line.split("\t") for line in text_of(table).splitlines() if line and not line.startswith("#"))


def _parameter(row: list[str]) -> Parameter:
    name, _, _, kind, unit, low, high, words, context, default = row
    bounds = float(low or "-inf"), float(high or "inf")
    return Parameter(name, kind, unit, *bounds, tuple(words.split(",")) if words else (), context, default)


def _in_range(parameter: Parameter, number: float) -> None:
    if not parameter.low <= number <= parameter.high:
        unit = f" {parameter.unit}" if parameter.unit else ""
        raise ValueError(f"must be between {parameter.low:.15g} and {parameter.high:.15g}{unit}")
    if parameter.kind == "integer" and abs(number) < 1 and number != round(number):
        raise ValueError("rounds to another number; use a smaller unit")


def _split(unit: str) -> tuple[int, str]:
    found = re.fullmatch(r"([0-9]*)([A-Za-z]*)", unit)
    return (int(found[1] or 1), found[2]) if found else (1, unit)


def _example(parameter: Parameter) -> str:
    return "64MB" if _split(parameter.unit)[1] in BYTES else "30s" if parameter.unit else "10"


def _readable(number: float, unit: str) -> str:
    count, own = _split(unit)
    table: Mapping[str, float] = BYTES if own in BYTES else SECONDS
    whole = number * count * table[own]
    best = max(
        (name for name in table if whole >= table[name] and (whole / table[name]).is_integer()),
        key=lambda name: table[name],
        default=own,
    )
    return f"{whole / table[best]:.15g}{best}"
