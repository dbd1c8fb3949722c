"""The keys that Temporal's server knows (it drops others in silence), and what a compose file must hold."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from tempo_infra.errors import InputError
from tempo_infra.inventory import constraints, dynamic_config, parameters
from tempo_infra.inventory.overrides import KEEPS_ALL, keeps_all, loses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Keys = dict[str, Any]  # a key and what may stand below it: Keys, or None where the value is free


def _keys(words: str) -> Keys:
    return dict.fromkeys(words.split())


SQL: Keys = {
    **_keys("user password pluginName databaseName connectAddr connectProtocol connectAttributes"),
    **_keys("maxConns maxIdleConns maxConnLifetime taskScanPartitions"),
    "passwordCommand": _keys("command args timeout"),
    "tls": _keys("enabled caFile certFile keyFile enableHostVerification serverName caData certData keyData"),
}
RPC: Keys = {
    **_keys("grpcPort membershipPort bindOnLocalHost bindOnIP httpPort httpAdditionalForwardedHeaders"),
    **_keys("keepAliveServerConfig clientConnectionConfig"),
}
GLOBAL: Keys = {
    "membership": _keys("maxJoinDuration broadcastAddress"),
    "pprof": _keys("port host"),
    "tls": {
        **_keys("internode frontend systemWorker remoteClusters refreshInterval"),
        "expirationChecks": _keys("warningWindow errorWindow checkInterval"),
    },
    "metrics": {
        **_keys("tags excludeTags prefix perUnitHistogramBoundaries statsd"),
        **_keys("withoutUnitSuffix withoutCounterSuffix recordTimerInSeconds"),
        "prometheus": {
            **_keys("framework listenAddress handlerPath timerType listenNetwork loggerRPS onError"),
            **_keys("defaultHistogramBoundaries defaultHistogramBuckets defaultSummaryObjectives"),
            "sanitizeOptions": None,
        },
    },
    "authorization": None,
}
CLUSTER = _keys("enabled initialFailoverVersion rpcAddress httpAddress")
TEMPORAL: Keys = {
    **_keys("archival namespaceDefaults otel visibility"),
    "log": _keys("stdout level outputFile format development"),
    "persistence": {
        **_keys("defaultStore visibilityStore secondaryVisibilityStore numHistoryShards"),
        "datastores": {"*": {"sql": SQL}},
    },
    "global": GLOBAL,
    "services": {name: {"rpc": RPC} for name in _keys("frontend internal-frontend history matching worker")},
    "clusterMetadata": {
        **_keys("enableGlobalNamespace failoverVersionIncrement masterClusterName currentClusterName tags"),
        "clusterInformation": {"*": CLUSTER},
    },
    "dcRedirectionPolicy": _keys("policy"),
    "publicClient": _keys("hostPort httpHostPort forceTLSConfig"),
    "dynamicConfigClient": _keys("filepath pollInterval"),
}
"""From the YAML tags of common/config/config.go of the server, 1.31.2."""

MOST_NAMED = 8  # mistakes of a file
NEEDED = ("persistence", "global", "services", "clusterMetadata", "dynamicConfigClient")


AS_TEMPLATE = "enable-template"
"""In a comment, it makes a file a template of Go: common/config/loader.go of the server, 1.31.2."""


def refuse_template(text: str, template: Path) -> None:
    """InputError for a file that the server would run before it reads it."""
    if AS_TEMPLATE in text:
        raise InputError(
            f"{template}: {AS_TEMPLATE}: the server would run the file as a template of its own",
            remedy="write there what it is to say",
        )


def check_temporal(found: object, template: Path) -> None:
    """InputError for a key that the server would drop, or a section that it needs."""
    if not isinstance(found, dict):
        raise InputError(f"{template}: Temporal's configuration is a mapping")
    problems = [f"unknown key {key}" for key in islice(_unknown(found, TEMPORAL), MOST_NAMED)]
    problems += [f"missing section {key}" for key in NEEDED if key not in found]
    if problems:
        raise InputError(
            f"{template}: {'; '.join(problems)}", remedy="the server ignores such keys in silence"
        )


def check_postgresql(found: dict[str, str], template: Path, version: int) -> None:
    """InputError for a line that this version refuses, or that loses data."""
    libraries = parameters.libraries_in(found[name] for name in parameters.LOADING if name in found)
    for name, text in found.items():
        try:
            taken = parameters.checked(version, name, text, libraries)
        except ValueError as error:
            raise InputError(f"{template}: {name} = {text}: {error}") from None
        if why := loses(name, taken):
            raise InputError(f"{template}: {name} = {text} is refused: {why}")
    if keeps_all(found):
        raise InputError(f"{template}: archive_mode: {KEEPS_ALL}")


def check_dynamic(found: object, template: Path, version: str, shards: int) -> None:
    """InputError for keys, values and constraints that the server refuses or passes over."""
    found_problems = (
        why for name, entries in _entries(found) for why in _dynamic(str(name), entries, version, shards)
    )
    problems = list(
        islice(chain(_twice(found), found_problems), MOST_NAMED)
    )  # a hint for each of thousands takes minutes
    if problems:
        raise InputError(
            f"{template}: {'; '.join(problems)}",
            remedy="the server ignores such entries, or refuses the whole file",
        )


def _entries(found: object) -> Iterable[tuple[object, object]]:
    return found.items() if isinstance(found, dict) else () if found is None else [("", None)]


def _twice(found: object) -> Iterator[str]:
    """Yield keys of which there is another spelling: the server takes any letters, and one of the two."""
    first: dict[str, object] = {}
    for name, _ in _entries(found):
        if (other := first.setdefault(str(name).casefold(), name)) != name:
            yield f"{name}: is {other}, which is there already"


def _dynamic(name: str, entries: object, version: str, shards: int) -> Iterator[str]:
    if not isinstance(entries, list) or not all(isinstance(one, dict) and "value" in one for one in entries):
        entries = []
    if not entries:
        yield f"{name or 'the file'}: a key has a list of entries, each with a value"
        return
    if any(one.keys() - {"value", "constraints"} for one in entries):
        yield f"{name}: an entry has a value and constraints"
        return
    try:
        key = dynamic_config.key(version, name)
        for value in (one["value"] for one in entries):
            if key.kind not in {"map", "typed", "any"} and not (key.gradual and isinstance(value, dict)):
                dynamic_config.checked(version, name, value)
    except ValueError as error:
        yield f"{name}: {error}"
        return
    yield from (f"{name}: {why}" for why in constraints.problems(version, name, entries, shards))


def check_compose(found: object, template: Path, project: str, services: set[str]) -> None:
    """InputError when the file is not this project with exactly these services."""
    document = found if isinstance(found, dict) else {}
    if document.get("name") != project:
        raise InputError(f"{template}: name must be {project}", remedy="containers are found by it")
    found_services = document.get("services")
    named = set(found_services) if isinstance(found_services, dict) else set()
    if named != services:
        wrong = ", ".join(sorted(named ^ services))
        raise InputError(f"{template}: services differ from the host's roles: {wrong}")
    for name in sorted(services):
        service = document["services"][name]
        if not isinstance(service, dict) or not isinstance(service.get("image"), str):
            raise InputError(f"{template}: services.{name} names no image")


def _unknown(found: dict[str, Any], known: Keys, path: str = "") -> Iterator[str]:
    for key, value in found.items():
        if key not in known and "*" not in known:
            yield f"{path}{key}"
            continue
        below = known.get(key, known.get("*"))
        if isinstance(below, dict) and isinstance(value, dict):
            yield from _unknown(value, below, f"{path}{key}.")
