"""What each version knows: PostgreSQL's parameters by major with their ranges, and Temporal's dynamic keys.

Both tables are data files beside this module; their first lines say which servers they were read from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VERSIONS = (15, 16, 17, 18)
BYTES = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
BOOLEANS = {
    **dict.fromkeys(("on", "true", "yes", "1"), "on"),
    **dict.fromkeys(("off", "false", "no", "0"), "off"),
}
LONGEST_TEXT = 400
_NUMBER = re.compile(r"([-+]?[0-9]{1,19}(?:\.[0-9]{1,9})?)\s*([a-zA-Z]*)")
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+")


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


@dataclass(frozen=True, slots=True)
class DynamicKey:
    """One key of Temporal's dynamic configuration."""

    name: str
    kind: str  # bool, int, float, duration, string, map or typed
    default: str  # "" where it is no plain value


@cache
def postgresql(version: int) -> Mapping[str, Parameter]:
    """Return the parameters that a major version knows, by name. KeyError for a version without a table."""
    found = {
        row[0]: _parameter(row)
        for row in _rows("postgres_parameters.tsv")
        if int(row[1]) <= version <= int(row[2])
    }
    if not found:
        raise KeyError(version)
    return {name.casefold(): parameter for name, parameter in found.items()}


@cache
def dynamic_keys() -> Mapping[str, DynamicKey]:
    """Return Temporal's dynamic keys by name."""
    return {row[0]: DynamicKey(*row) for row in _rows("dynamic_keys.tsv")}


def checked(version: int, name: str, text: str) -> str:
    """Return the value as the server reads it. ValueError in plain words when it would be refused."""
    parameter = postgresql(version).get(name.casefold())
    if parameter is None:
        raise ValueError(f"PostgreSQL {version} knows no such parameter")
    if parameter.kind == "bool":
        if text.casefold() not in BOOLEANS:
            raise ValueError("must be on or off")
        return BOOLEANS[text.casefold()]
    if parameter.kind == "enum":
        if text not in parameter.words and BOOLEANS.get(text.casefold()) not in parameter.words:
            raise ValueError(f"must be one of {', '.join(parameter.words)}")
        return text if text in parameter.words else BOOLEANS[text.casefold()]
    if parameter.kind == "string":
        if len(text) > LONGEST_TEXT or not text.isprintable():
            raise ValueError(f"use one line of text, at most {LONGEST_TEXT} characters")
        return text
    _in_range(parameter, in_unit(parameter, text))
    return text


def in_unit(parameter: Parameter, text: str) -> float:
    """Return a number in the parameter's own unit: "16MB" of work_mem is 16384. ValueError otherwise."""
    found = _NUMBER.fullmatch(text.strip())
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


def in_base(version: int, name: str, text: str) -> float:
    """Return bytes, seconds, or the plain number. ValueError when it is none."""
    parameter = postgresql(version)[name]
    count, own = _split(parameter.unit)
    return in_unit(parameter, text) * count * {**BYTES, **SECONDS}.get(own, 1)


def checked_dynamic(name: str, value: str | float | bool) -> str | float | bool:
    """Return the value of a dynamic key. ValueError when the server knows no such key, or another type."""
    key = dynamic_keys().get(name)
    if key is None:
        raise ValueError("Temporal knows no such key of dynamic configuration")
    if key.kind == "bool" and not isinstance(value, bool):
        raise ValueError("must be true or false")
    if key.kind in {"int", "float"} and (isinstance(value, bool | str) or value < 0):
        raise ValueError("must be a number, not below 0")
    if key.kind == "int" and isinstance(value, float):
        raise ValueError("must be a whole number")
    if key.kind == "duration" and not (isinstance(value, str) and _DURATION.fullmatch(value)):
        raise ValueError("must be a duration such as 500ms, 10s or 5m")
    if key.kind in {"map", "typed"}:
        raise ValueError("is not a single value; write it in an own template of dynamic.yaml")
    if key.kind == "string" and not isinstance(value, str):
        raise ValueError("must be text")
    return value


def duration_s(text: str) -> float:
    """Return the seconds of one of Go's durations: `1m30s` is 90."""
    each = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(n) * each[unit] for n, unit in re.findall(r"([0-9.]+)(ms|s|m|h)", text))


def _rows(name: str) -> Iterator[list[str]]:
    text = resources.files("tempo_infra.sizing").joinpath(name).read_text("utf-8")
    return (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))


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
