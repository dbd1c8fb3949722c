"""What each version of Temporal knows: its keys of dynamic configuration, and which services read them.

The table is a data file beside this module; its first lines say how it is made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from tempo_infra.inventory.cluster import TEMPORAL_ROLES
from tempo_infra.inventory.parameters import CLOSE, rows, text_of
from tempo_infra.inventory.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Scalar: TypeAlias = str | float | bool

TABLE, GRADUAL = "dynamic_keys.tsv", "gradual-"
# Of the server's strconv.ParseBool.
BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
ANY, ALL = "any", frozenset(TEMPORAL_ROLES)
UNITS_S = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
LONGEST_S = 2**63 / 1e9  # of Go's durations
LARGEST = 2**63 - 1
_PART = r"((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(ns|us|µs|μs|ms|s|m|h|d)"
_DURATION = re.compile(rf"\+?(?:{_PART})+|0")
_PLAIN = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")  # seconds
OWN_TEMPLATE = "is more than one value: write it in an own template of services/temporal/dynamic.yaml.j2"
# What the server asks for at each use, as read in its source (service/*/fx.go, and who calls what is made
# there; the same in 1.31.2 and 1.32): quotas, limits of sizes and counts, how long it drains. All else may be
# asked for once, at the start.
LIVE = re.compile(
    r"(?:frontend\.(?:(?:rps|namespaceRPS|globalNamespaceRPS|namespaceBurstRatio)(?:\.visibility)?|namespaceCount)"
    r"|(?:history|matching)\.rps"
    r"|(?:frontend|history|matching|worker)\.persistence(?:Namespace)?MaxQPS"
    r"|(?:frontend|history|matching)\.shutdownDrainDuration"
    r"|limit\.(?:(?:blobSize|memoSize|historySize|historyCount|mutableStateSize)\.\w+|maxIDLength|numPending\w+\.error)"
    r"|matching\.numTaskqueue(?:Read|Write)Partitions"
    r"|system\.enable(?:ActivityEagerExecution|EagerWorkflowStart))",
    re.IGNORECASE,
)
QUOTA_OF_STORE = re.compile(r"\w+\.persistence(?:Namespace)?MaxQPS", re.IGNORECASE)
ELSEWHERE = re.compile(r"worker\.(ESProcessor.*|indexerConcurrency)")


@dataclass(frozen=True, slots=True)
class DynamicKey:
    """One key, as one version knows it."""

    name: str
    kind: str  # bool, int, float, duration, string, map or typed; any where nobody knows
    default: str  # "" where it is no plain value
    readers: frozenset[str]  # services that may read it
    gradual: bool = False  # it may also be a mapping that says from when to when it changes
    scope: str = ""  # what its values may be constrained to, in the server's word; "" where nobody knows


@cache
def versions() -> tuple[str, ...]:
    """Return the versions that the table was made from, the oldest first."""
    found = re.search(r"^# versions\t(.+)$", text_of(TABLE), re.MULTILINE)
    return tuple(found[1].split()) if found else ()


@cache
def keys(version: str) -> Mapping[str, DynamicKey]:
    """Return what a version knows, by the key in small letters.

    One that the table does not have is taken for the newest before it, or for the oldest.
    """
    known = {one: place for place, one in enumerate(versions())}
    order = [_numbers(one) for one in versions()]
    at = max((place for place, one in enumerate(order) if one <= _numbers(version)), default=0)
    return {
        name.casefold(): DynamicKey(
            name,
            kind.removeprefix(GRADUAL),
            default,
            frozenset(readers.split(",") if readers else ()),
            kind.startswith(GRADUAL),
            scope,
        )
        for name, first, last, kind, default, readers, scope in rows(TABLE)
        if known.get(first, 0) <= at <= known.get(last, len(known))
    }


def is_newer(version: str) -> bool:
    """Whether a version may know keys that the table does not have: it is behind the one it is taken for."""
    return is_from(version, versions()[0]) and version not in versions()


def is_from(version: str, first: str) -> bool:
    """Whether a version is that one or a newer one."""
    return _numbers(version) >= _numbers(first)


def key(version: str, name: str) -> DynamicKey:
    """Return a key, however its letters are written. ValueError for one that would have no effect.

    A version that is newer than the table may know more: all its services are given such a key.
    """
    found = keys(version).get(name.casefold())
    if found is None and is_newer(version):
        return DynamicKey(name, ANY, "", ALL)
    if found is None:
        hint = did_you_mean(name, (one.name for one in keys(version).values()), close_to=CLOSE)
        raise ValueError(f"Temporal {version} knows no such key of dynamic configuration{hint}")
    if not found.readers:
        raise ValueError(f"has no effect: no service of Temporal {version} reads it")
    if ELSEWHERE.fullmatch(found.name):
        raise ValueError("has no effect: only a visibility store in Elasticsearch reads it")
    return found


def canonical(version: str, name: str) -> str:
    """Return a key as Temporal's source writes it; one that nobody knows as it is."""
    found = keys(version).get(name.casefold())
    return found.name if found else name


def checked(version: str, name: str, value: Scalar) -> Scalar:
    """Return the value. ValueError when it would have no effect: an unknown key, no reader, another type."""
    found = key(version, name)
    if found.kind in {"map", "typed"}:
        raise ValueError(OWN_TEMPLATE)
    if found.kind == ANY:
        return value
    if not _CHECKS[found.kind](value):
        raise ValueError(_WANTED[found.kind])
    return value


def is_live(name: str, values: object) -> bool:
    """Whether a running server takes up another value of a key, whose values are as `dynamic.yaml` has them.

    Without a quota of the store (0) at its start, a server makes no limiter for it.
    """
    if not LIVE.fullmatch(name) or not isinstance(values, list):
        return False
    of_store = QUOTA_OF_STORE.fullmatch(name) is not None
    return not of_store or all(isinstance(one, dict) and one.get("value") for one in values)


def duration_s(text: str) -> float:
    """Return the seconds of a duration as the server reads it: `1m30s` is 90, and so is `90`."""
    if _PLAIN.fullmatch(text):
        return float(text)
    return sum(float(number) * UNITS_S[unit] for number, unit in re.findall(_PART, text))


def _is_bool(value: Scalar) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and value in BOOLEANS)


def _is_whole(value: Scalar) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_duration(value: Scalar) -> bool:
    if not isinstance(value, str):
        return _is_number(value) and value < LONGEST_S
    return bool(_DURATION.fullmatch(value) or _PLAIN.fullmatch(value)) and duration_s(value) < LONGEST_S


def _is_text(value: Scalar) -> bool:
    return isinstance(value, str)


_CHECKS: Mapping[str, Callable[[Scalar], bool]] = {
    "bool": _is_bool,
    "int": _is_whole,
    "float": _is_number,
    "duration": _is_duration,
    "string": _is_text,
}
_WANTED = {
    "bool": "must be true or false",
    "int": "must be a whole number, not below 0",
    "float": "must be a number, not below 0",
    "duration": "must be a duration such as 500ms, 10s, 5m or 60d; a plain number is seconds",
    "string": "must be text",
}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
