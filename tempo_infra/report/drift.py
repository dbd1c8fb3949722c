"""What differs on a host from what was provisioned there: in lines for people, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tempo_infra.deploy import restarts
from tempo_infra.deploy.difference import unified
from tempo_infra.deploy.namespaces import span
from tempo_infra.on_host.state import Edited
from tempo_infra.report.errors import errors_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tempo_infra.deploy.namespaces import NamespaceChange
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.on_host.state import HostState

MOST_FILES = 100  # of a host, which has no more of ours, that are compared with what was provisioned


@dataclass(frozen=True, slots=True)
class Drift:
    """That of one host; it is false where there is none."""

    files: dict[str, Edited]  # by their path on the host, without its first slash
    owners: list[str]  # what is wrong with a file's owner or mode
    services: dict[str, str]  # what is wrong with each, by its name
    namespaces: list[NamespaceChange]

    def __bool__(self) -> bool:
        return any((self.files, self.owners, self.services, self.namespaces))


def drift_of(
    state: HostState,
    shipped: Mapping[str, str] | None = None,
    namespaces: Sequence[NamespaceChange] = (),
) -> Drift:
    """Find it. `shipped`: the texts of files as they are rendered now, by path; the host has its own only."""
    files = dict(state.edited)
    for path, text in state.tampered.items():
        before = (shipped or {}).get(path)
        place = f"var/lib/tempo-infra/{path if path.startswith('services/') else f'current/{path}'}"
        files[place] = Edited(text if before is None else before, text)
    return Drift(
        files, list(map(str, state.wrong)), dict(sorted(restarts.drift(state).items())), list(namespaces)
    )


def drift_lines(host: str, drift: Drift) -> Iterator[str]:
    """Yield the host's name and what differs there; nothing for a host without drift."""
    if not drift:
        return
    yield host
    for path, one in list(drift.files.items())[:MOST_FILES]:
        yield f"  {'~' if one.found else '-'} /{path}"
        yield from (f"      {line}" for line in _diff(one))
    if len(drift.files) > MOST_FILES:
        yield f"  ~ {len(drift.files) - MOST_FILES} more files"
    yield from (f"  ~ {one}" for one in drift.owners)
    yield from (f"  ✗ {name}: {words}" for name, words in drift.services.items())
    yield from map(_namespace, drift.namespaces)


def drift_json(found: Mapping[str, Drift], errors: Mapping[str, TempoInfraError]) -> str:
    """Return every host's drift; one without any has empty lists, one that could not be asked an error."""
    hosts = {
        name: {
            "files": [
                {"path": f"/{path}", "missing": not one.found, "diff": list(_diff(one))}
                for path, one in list(drift.files.items())[:MOST_FILES]
            ],
            "more_files": max(0, len(drift.files) - MOST_FILES),
            "owners": drift.owners,
            "services": drift.services,
            "namespaces": [asdict(one) for one in drift.namespaces],
        }
        for name, drift in found.items()
    }
    return json.dumps({"schema": 1, "hosts": hosts, "errors": errors_json(errors)}, indent=1)


def _diff(one: Edited) -> Iterator[str]:
    return iter(unified(one.shipped, one.found, "provisioned", "on the host"))


def _namespace(one: NamespaceChange) -> str:
    if one.had_s is None:
        return f"  - namespace {one.name} is not in Temporal"
    return (
        f"  ~ namespace {one.name} keeps {span(one.had_s)} in Temporal, {span(one.wanted_s)} was provisioned"
    )
