"""Which sized values a push changes on a host, and why: read out of the old files and the new ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tempo_infra.deploy import responses
from tempo_infra.render import parse
from tempo_infra.render.bundle import logical
from tempo_infra.sanitize import cut, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tempo_infra.on_host.state import HostState
    from tempo_infra.render.bundle import Bundle
    from tempo_infra.sizing import HostSettings, Setting

LONGEST = 200  # characters of a name or a value, which may be whatever a host holds
COMPOSE = "docker-compose.yml"
LIMITS = ("mem_limit", "cpus", "pids_limit", "shm_size", "stop_grace_period")  # keys of a compose service


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One value of one file; empty text: it is not there."""

    path: str  # logical
    name: str
    old: str
    new: str
    why: str


def value_changes(settings: HostSettings, bundle: Bundle, state: HostState) -> tuple[ValueChange, ...]:
    """Return the changed values, file by file; files that are new or go are not taken apart."""
    old = {logical(path): text for path, text in state.texts.items()}
    reasons = _reasons(settings)
    found = []
    for file in bundle.files:
        if file.logical not in old:
            continue
        before = _values(file.logical, old[file.logical])
        after = _values(file.logical, file.content.decode())
        for name in sorted(before.keys() | after.keys()):
            was, now = before.get(name, ""), after.get(name, "")
            if was != now:
                why = reasons.get((file.logical, name), "") if now else ""
                found.append(ValueChange(file.logical, name, was, now, why))
    return tuple(found)


def _values(path: str, text: str) -> dict[str, str]:
    """Return a file's values, fit to be shown; what can't be read (edited, cut, too much) has none."""
    try:
        return {_short(name): _short(value) for name, value in _flat(path, text).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _short(text: str) -> str:
    return cut(one_line(text), LONGEST)


def _flat(path: str, text: str) -> dict[str, str]:
    if path.endswith("postgresql.conf"):
        return parse.pgconf(text)
    if path.startswith("etc/sysctl.d/"):
        return parse.sysctl(text)
    body = responses.yaml(text) if path.endswith((".yaml", ".yml")) else None
    if not isinstance(body, dict):
        return {}
    if path == COMPOSE:
        return dict(_limits(body.get("services")))
    return dict(_pools(body)) if path.endswith("server.yaml") else dict(_dynamic(body))


def _limits(services: object) -> Iterable[tuple[str, str]]:
    for name, one in services.items() if isinstance(services, dict) else ():
        for key in LIMITS if isinstance(one, dict) else ():
            if key in one:
                yield f"{name}.{key}", str(one[key])
        image = one.get("image") if isinstance(one, dict) else None
        if image:
            yield f"{name}.image", str(image)


def _pools(body: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    stores = body.get("persistence", {}).get("datastores", {})
    for name, one in stores.items() if isinstance(stores, dict) else ():
        yield f"{name}.maxConns", str(one.get("sql", {}).get("maxConns", ""))


def _dynamic(body: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, entries in body.items():
        if isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], dict):
            yield name, str(entries[0].get("value", ""))


def _reasons(settings: HostSettings) -> dict[tuple[str, str], str]:
    found = {
        ("services/postgresql/postgresql.conf", one.name.casefold()): _why(one) for one in settings.postgresql
    }
    found |= {("etc/sysctl.d/60-tempo-infra.conf", one.name): _why(one) for one in settings.sysctl}
    for role, service in settings.temporal.items():
        found |= {(f"services/{role}/server.yaml", one.name): _why(one) for one in service.pools}
        found |= {(f"services/{role}/dynamic.yaml", one.name): _why(one) for one in service.dynamic}
    for container in settings.containers:
        found |= {(COMPOSE, one.name): _why(one) for one in container.settings}
    return found


def _why(setting: Setting) -> str:
    if setting.written:
        return f"set in {setting.written}"
    return f"{setting.reason}; {setting.inputs}" if setting.inputs else setting.reason
