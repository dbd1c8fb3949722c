"""What an own template may change: all else that it renders says what the inventory means.

The meaning is what the built-in template renders from the same values. A kind of file has a list of what may
differ from that, and how far; whatever is not on the list has to be the same.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from tempo_infra.errors import InputError
from tempo_infra.inventory import dynamic_config, outward, parameters, widening
from tempo_infra.inventory.overrides import OURS, Known, why_not
from tempo_infra.render import access, lines
from tempo_infra.sizing import overrides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tempo_infra.inventory.cluster import Cluster

MOST_SHOWN = 8
LONGEST_SHOWN = 400  # characters of a value
LEAST = 0.01  # processors: of less, Docker makes no limit at all; of connections, 0 is no limit
OUTWARD_SECTIONS = frozenset({"archival", "namespaceDefaults", "otel"})

Rule: TypeAlias = "Callable[[Any, Any], bool] | dict[str, Rule]"  # own value and ours -> is it fine?
Beyond: TypeAlias = tuple[str, str]  # the risk that is accepted for it, and what it is
ABSENT = object()


@dataclass(frozen=True, slots=True)
class Read:
    """A rendered file: its text, and what its reader makes of it."""

    text: str
    found: Any


def judged(cluster: Cluster, path: str, template: object, own: Read, ours: Read) -> tuple[Beyond, ...]:
    """Return what an own template's file says beyond what the inventory means, where that is accepted.

    InputError where it is not.
    """
    never = list(FLOORS.get(path, _same_as_ours)(cluster, own, ours))
    beyond = tuple((risk, told) for risk, found in RISKS.get(path, ()) for told in found(cluster, own, ours))
    open_ = [(risk, told) for risk, told in beyond if risk not in cluster.accept]
    refused = never + [told for _, told in open_]
    if not refused:
        return beyond
    told = "; ".join(refused[:MOST_SHOWN]) + (
        f"; and {more} more" if (more := len(refused) - MOST_SHOWN) > 0 else ""
    )
    remedy = "render there what the built-in template does"
    if not never:
        risks = ", ".join(dict.fromkeys(risk for risk, _ in open_))
        remedy += f", or take the risk with accept: [{risks}], which every plan shows"
    raise InputError(f"{template}: more than the inventory means: {told}", remedy=remedy)


def _free(_own: object, _ours: object) -> bool:
    return True


def _at_most(own: object, ours: object) -> bool:
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (own, ours))
    return numbers and LEAST <= own <= ours  # type: ignore[operator]  # they are numbers


def _some_of(own: object, ours: object) -> bool:
    return isinstance(own, list) and isinstance(ours, list) and all(one in ours for one in own)


def _only(*names: str) -> Rule:
    return lambda own, _: isinstance(own, dict) and own.keys() <= set(names)


def _like(pattern: str) -> Rule:
    return lambda own, _: type(own) in {str, int} and re.fullmatch(pattern, str(own), re.ASCII) is not None


def _labels(own: object, _: object) -> bool:
    """Plain words only: by Docker's own labels our containers are found, and other programs obey theirs.

    Traefik's, Ofelia's, Watchtower's and those of agents that run checks have a dot in them, a few have none.
    """
    return isinstance(own, dict) and all(
        type(name) is type(value) is str
        and re.fullmatch(r"org\.opencontainers\.image\.[a-z.]+|[a-z][a-z0-9-]*", name)
        and name not in OBEYED
        for name, value in own.items()
    )


OBEYED = frozenset({"autoheal", "caddy"})
_PAUSE = _like(r"[1-9][0-9]?s|1m")
COMPOSE: Rule = {
    "services": {
        "*": {
            "ports": _some_of,
            "cpus": _at_most,
            "labels": _labels,
            "environment": {"TZ": _like(r"[A-Za-z][A-Za-z0-9_+/-]{0,40}")},
            "healthcheck": {
                **dict.fromkeys(("interval", "timeout", "start_interval"), _PAUSE),
                "start_period": _like(r"[1-9][0-9]{0,2}s|[1-9]m"),
                "retries": _like(r"[1-9][0-9]?"),
            },
            "logging": {"options": {"max-size": _like(r"[1-9][0-9]{0,2}[km]"), "max-file": _like(r"[1-9]")}},
        }
    }
}
SERVER: Rule = {
    "log": {"level": _like("debug|info|warn|error"), "format": _like("json|console")},
    "persistence": {
        "datastores": {
            "*": {
                "sql": {
                    "maxConns": _at_most,
                    "maxIdleConns": _at_most,
                    "maxConnLifetime": _free,
                    "tls": _free,
                }
            }
        }
    },
    "global": {
        "membership": {"maxJoinDuration": _free},
        "metrics": {
            **dict.fromkeys(("tags", "excludeTags", "perUnitHistogramBoundaries"), _free),
            "prometheus": dict.fromkeys(("loggerRPS", "onError", "defaultHistogramBoundaries"), _free),
        },
        **dict.fromkeys(("tls", "authorization"), _free),
    },
    "services": {"*": {"rpc": dict.fromkeys(("keepAliveServerConfig", "clientConnectionConfig"), _free)}},
    **dict.fromkeys(("archival", "namespaceDefaults", "otel", "dcRedirectionPolicy"), _free),
    "publicClient": _only("forceTLSConfig"),  # the worker service finds frontends among the members
    "dynamicConfigClient": {"pollInterval": _PAUSE},
}
ACCESS: Rule = {
    "*": _free,
    "global": {"*": _free, "authorization": {}, "tls": {}},
    "persistence": {
        "*": _free,
        "datastores": {"*": {"*": _free, "sql": {"*": _free, "tls": _only("enabled")}}},
    },
}
"""What of a server's file says whose word it takes: keys of tokens, certificates, the database's name."""
LIMITS: Mapping[str, tuple[int, int]] = {
    "nofile": (1024, 1 << 20),  # above fs.nr_open no login succeeds
    "nproc": (4096, 1 << 22),
    "memlock": (64, 1 << 40),
    "core": (0, 1 << 40),
    "stack": (8192, 1 << 30),
}
"""What of each lets people log in; with other items everybody can be locked out."""
JUDGED_APART = frozenset({outward.RISK, widening.RISK})
"""Risks of values that `RISKS` has, with the template that takes them."""
COMPOSED: Mapping[str, Any] = {"map": dict, "typed": dict | list}
"""Kinds of dynamic keys that no single value can be of."""
THP = re.compile(
    r"/sys/kernel/mm/transparent_hugepage/(enabled|defrag|shmem_enabled|khugepaged/\w+)", re.ASCII
)


def _document(rule: Rule) -> Callable[[Cluster, Read, Read], Iterator[str]]:
    return lambda _, own, ours: _differing(own.found, ours.found, rule)


def _differing(own: object, ours: object, rule: Rule, path: str = "") -> Iterator[str]:
    if _alike(own, ours):
        return
    if callable(rule):
        if not rule(own, ours):
            yield _told(path, own, ours)
    elif isinstance(own, dict) and isinstance(ours, dict):
        for key in dict.fromkeys((*own, *ours)):
            below = rule.get(key, rule.get("*", {}))
            place = f"{path}.{key}" if path else str(key)
            yield from _differing(own.get(key, ABSENT), ours.get(key, ABSENT), below, place)
    else:
        yield _told(path, own, ours)


def _alike(own: object, ours: object) -> bool:
    """Whether two values are the same, and of the same type: 1 is not true."""
    return own is ours or (ABSENT not in (own, ours) and _shown(own) == _shown(ours))


def _told(path: str, own: object, ours: object) -> str:
    where = path or "the file"
    if own is ABSENT:
        return f"{where} is missing"
    what = f"{where}: {_short(_shown(own))}"
    return what if ours is ABSENT else f"{what} instead of {_short(_shown(ours))}"


def _shown(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=repr)


def _short(text: str) -> str:
    return lines.short(text, LONGEST_SHOWN)


def _sysctl(_: Cluster, own: Read, ours: Read) -> Iterator[str]:
    for name, value in own.found.items():
        if ours.found.get(name) != value:
            yield from (f"{name}: {why}" for why in why_not(Known(), "sysctl", name, value))


def _postgresql(cluster: Cluster, own: Read, ours: Read) -> Iterator[str]:
    loaded = (own.found[name] for name in parameters.LOADING if name in own.found)
    by = overrides.known(cluster)
    known = replace(by, libraries=parameters.libraries_in(loaded), accept=by.accept | JUDGED_APART)
    for name in dict.fromkeys((*own.found, *(OURS & ours.found.keys()))):
        value, meant = own.found.get(name, ABSENT), ours.found.get(name, ABSENT)
        if value is ABSENT:
            yield _told(name, value, meant)
        elif value != meant:
            yield from (f"{name}: {why}" for why in why_not(known, "postgresql", name, value))


def _limits(_: Cluster, own: Read, ours: Read) -> Iterator[str]:
    for words in own.found:
        if words not in ours.found and not _is_limit(words):
            yield " ".join(words)


def _is_limit(words: list[str]) -> bool:
    if len(words) != 4 or not re.fullmatch(r"\*|@?[a-z_][a-z0-9_-]*", words[0], re.ASCII):  # noqa: PLR2004 - columns
        return False
    _, kind, item, value = words
    low, high = LIMITS.get(item, (1, 0))
    number = int(value) if re.fullmatch(r"[0-9]{1,18}", value, re.ASCII) else -1
    fits = low <= number <= high or (value == "unlimited" and item in LIMITS and item != "nofile")
    return kind in {"soft", "hard", "-"} and fits


def _tmpfiles(_: Cluster, own: Read, ours: Read) -> Iterator[str]:
    for words in own.found:
        ours_or_alike = (
            words in ours.found
            or (
                len(words) == 7  # noqa: PLR2004 - columns
                and words[0] == "w"
                and THP.fullmatch(words[1])
                and words[2:6] == ["-"] * 4
                and re.fullmatch(r"[a-z0-9+_]+", words[6], re.ASCII)
            )
        )
        if not ours_or_alike:
            yield " ".join(words)


def _unit(_: Cluster, own: Read, ours: Read) -> Iterator[str]:
    return lines.differing(own.text, ours.text, lines.UNIT_FREE)


def _script(_: Cluster, own: Read, ours: Read) -> Iterator[str]:
    return lines.differing(own.text, ours.text, lines.SCRIPT_FREE)


def _same_as_ours(_: Cluster, own: Read, ours: Read) -> Iterator[str]:
    if isinstance(own.found, dict):
        yield from _differing(own.found, ours.found, {})
    elif own.found != ours.found:
        yield "other lines than ours"


def _dynamic(cluster: Cluster, own: Read, ours: Read) -> Iterator[str]:
    by = overrides.known(cluster)
    known = replace(by, accept=by.accept | JUDGED_APART)
    for name, entries in own.found.items():
        if not _alike(entries, ours.found.get(name, ABSENT)):
            yield from (
                f"{name}: {why}" for one in entries for why in _wrong_value(known, name, one["value"])
            )


def _wrong_value(known: Known, name: str, value: object) -> Iterator[str]:
    """Yield what speaks against a value; of one that is not single, only the key was judged before."""
    kind = dynamic_config.key(known.temporal, name).kind
    if kind in COMPOSED and not isinstance(value, COMPOSED[kind]):
        yield "must be a mapping" if kind == "map" else "must be a list or a mapping"
    elif kind not in COMPOSED and isinstance(value, str | int | float):
        yield from why_not(known, "temporal", name, value)


def _outward_keys(_: Cluster, own: Read, ours: Read) -> Iterator[str]:
    for name, entries in own.found.items():
        calls = any(outward.is_outward_key(name, one["value"]) for one in entries)
        if calls and not _alike(entries, ours.found.get(name, ABSENT)):
            yield f"{_told(name, entries, ours.found.get(name, ABSENT))} {outward.WHAT}"


def _widening_keys(cluster: Cluster, own: Read, ours: Read) -> Iterator[str]:
    for name, entries in own.found.items():
        widens = any(widening.by_key(cluster.temporal.version, name, one["value"]) for one in entries)
        if widens and not _alike(entries, ours.found.get(name, ABSENT)):
            yield f"{_told(name, entries, ours.found.get(name, ABSENT))} {widening.WHAT}"


def _widening_parameters(cluster: Cluster, own: Read, ours: Read) -> Iterator[str]:
    for name, value in own.found.items():
        if value != ours.found.get(name) and widening.by_parameter(
            int(cluster.postgres.version), name, value
        ):
            yield f"{name} = {_short(value)} {widening.WHAT}"


def _outward_parameters(cluster: Cluster, own: Read, ours: Read) -> Iterator[str]:
    for name, value in own.found.items():
        if value != ours.found.get(name) and outward.is_outward(int(cluster.postgres.version), name, value):
            yield f"{name} = {_short(value)} {outward.WHAT}"


def _outward_sections(_: Cluster, own: Read, ours: Read) -> Iterator[str]:
    for name in sorted(OUTWARD_SECTIONS & own.found.keys()):
        if not _alike(own.found[name], ours.found.get(name, ABSENT)):
            yield f"{_told(name, own.found[name], ours.found.get(name, ABSENT))} {outward.WHAT}"


def _lets_in(_: Cluster, own: Read, ours: Read) -> Iterator[str]:
    return (_short(line) for line in access.lets_in(own.found, ours.found))


def _nothing(_cluster: Cluster, _own: Read, _ours: Read) -> Iterator[str]:
    return iter(())


FLOORS: Mapping[str, Callable[[Cluster, Read, Read], Iterator[str]]] = {
    **dict.fromkeys(("docker-compose.yml", "migrate.sh"), _nothing),
    "server.yaml": _document(SERVER),
    "dynamic.yaml": _dynamic,
    "pg_hba.conf": _nothing,  # `hba`, and who is let in
    "postgresql.conf": _postgresql,
    "etc/sysctl.d/60-tempo-infra.conf": _sysctl,
    "etc/security/limits.d/60-tempo-infra.conf": _limits,
    "etc/tmpfiles.d/60-tempo-infra.conf": _tmpfiles,
    "etc/systemd/system/tempo-infra.service": _unit,
    "etc/systemd/system/multi-user.target.d/60-tempo-infra.conf": _unit,
}
"""What is never taken, by path, as `files` has it; what is not here is the same as ours."""
RISKS: Mapping[str, tuple[tuple[str, Callable[[Cluster, Read, Read], Iterator[str]]], ...]] = {
    "docker-compose.yml": (("own-compose", _document(COMPOSE)),),
    "migrate.sh": (("own-compose", _script),),
    "postgresql.conf": ((outward.RISK, _outward_parameters), (widening.RISK, _widening_parameters)),
    "pg_hba.conf": ((widening.RISK, _lets_in),),
    "dynamic.yaml": ((outward.RISK, _outward_keys), (widening.RISK, _widening_keys)),
    "server.yaml": ((outward.RISK, _outward_sections), (widening.RISK, _document(ACCESS))),
}
"""What is taken where the risk is."""
