"""Every sized value with its reason: one line each, one in detail, or as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tempo_infra.errors import InputError
from tempo_infra.inventory.problems import did_you_mean
from tempo_infra.report.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tempo_infra.sizing import HostSettings, Setting, Settings


@dataclass(frozen=True, slots=True)
class Line:
    """One value of one file of one host."""

    host: str
    file: str  # "postgresql", "sysctl", "history", "compose", "limits", …
    setting: Setting

    @property
    def name(self) -> str:
        return f"{self.file}.{self.setting.name}"

    @property
    def text(self) -> str:
        """The value as its file writes it: YAML says true where postgresql.conf says on."""
        value = self.setting.value
        if isinstance(value, bool) and self.file != "postgresql":
            return "true" if value else "false"
        return self.setting.text


def lines(settings: Settings, host: str = "", name: str = "") -> tuple[Line, ...]:
    """Return what is asked for: all, those of a host, of a file (`postgresql`), or one (`postgresql.jit`).

    InputError for a name that no host has.
    """
    found = tuple(
        line for sized in settings.hosts if host in {"", sized.host} for line in _of_host(settings, sized)
    )
    if not name:
        return found
    chosen = tuple(line for line in found if name in {line.name, line.setting.name, line.file})
    if not chosen:
        names = list(dict.fromkeys(line.name for line in found))
        hint = did_you_mean(name, names) or f"; see: tempo-infra explain {host}".rstrip()
        raise InputError(f"{host or 'no host'} has no setting {name!r}{hint}")
    return chosen


def text(found: Iterable[Line], settings: Settings, *, detailed: bool) -> str:
    """Return lines for people; `detailed` gives each one a paragraph."""
    body = "\n\n".join(_paragraph(line) for line in found) if detailed else _table(tuple(found))
    return "\n".join([body, *(_caution(one) for one in settings.cautions)])


def _caution(text: str) -> str:
    """Wrap words; the lines of a budget's arithmetic stay as they are."""
    return text if "\n" in text else wrapped(text, 2, "")


def as_json(found: Iterable[Line], settings: Settings) -> str:
    """Return `{"format": 1, "settings": […], "warnings": […], "risks": […]}`."""
    body = {
        "format": 1,
        "settings": [_object(line) for line in found],
        "warnings": list(settings.warnings),
        "risks": list(settings.risks),
    }
    return json.dumps(body, indent=1)


def _of_host(settings: Settings, host: HostSettings) -> Iterator[Line]:
    for setting in host.postgresql:
        yield Line(host.host, "postgresql", setting)
    if host.postgresql:
        yield Line(host.host, "table", settings.plan_guard)
    for setting in host.pgbackrest:
        yield Line(host.host, "pgbackrest", setting)
    for role, service in host.temporal.items():
        for setting in (settings.shard_setting, *service.pools, *service.dynamic):
            yield Line(host.host, role.value, setting)
    for setting in host.sysctl:
        yield Line(host.host, "sysctl", setting)
    if host.thp:
        yield Line(host.host, "tmpfiles", host.thp)
    yield Line(host.host, "limits", host.nofile)
    for container in host.containers:
        for setting in container.settings:
            yield Line(host.host, "compose", setting)


def _table(found: tuple[Line, ...]) -> str:
    parts: list[str] = []
    host = ""
    for line in found:
        if line.host != host:
            parts += [""] * bool(parts) + [line.host]
            host = line.host
        own = _own(line.setting)
        parts.append(f"  {line.name} = {line.text}{own}")
        parts.append(wrapped(line.setting.reason, 6))
    return "\n".join(parts)


def _paragraph(line: Line) -> str:
    setting = line.setting
    rows = [("rule", setting.reason), ("from", setting.inputs)]
    rows += [("set in", setting.written), ("instead", " · ".join(" ".join(pair) for pair in setting.instead))]
    rows += [("note", setting.note), ("source", setting.source)]
    head = f"{line.host}: {line.name} = {line.text}"
    return "\n".join([head, *(wrapped(value, 10, f"  {label:<8}") for label, value in rows if value)])


def _own(setting: Setting) -> str:
    """Say whose value it is, where it is the operator's."""
    if not setting.written:
        return ""
    return "  (override)" if setting.overridden else "  (inventory)"


def _object(line: Line) -> dict[str, Any]:
    setting = line.setting
    return {
        "host": line.host,
        "file": line.file,
        "name": setting.name,
        "value": setting.value,
        "unit": setting.unit,
        "text": line.text,
        "rule": setting.reason,
        "inputs": setting.inputs,
        "instead": dict(setting.instead),
        "override": setting.written or None,
        "note": setting.note,
        "source": setting.source,
    }
