"""What a push does to services: which are made anew, why, and how long that took here before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tempo_infra.deploy.network import moves
from tempo_infra.deploy.obstacles import compose_services
from tempo_infra.render.bundle import logical

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tempo_infra.on_host.state import HostState
    from tempo_infra.render.bundle import Bundle

INIT = "an init becomes its process 1, so that no stray process in the container can disturb it"
FILES = "volumes"  # the key of a compose service in which a folder's digest stands


@dataclass(frozen=True, slots=True)
class Restart:
    """One service that runs and is made anew."""

    service: str
    why: str
    took_s: tuple[float, ...] = ()  # earlier times, the last one last; empty: not measured yet
    took_on: str = ""  # the host where that was, when it was another one


@dataclass(frozen=True, slots=True)
class Services:
    restarts: tuple[Restart, ...]
    starts: tuple[str, ...]  # services that do not run yet
    stops: tuple[str, ...]  # services that are no longer wanted


def services(bundle: Bundle, state: HostState, repaired: Collection[str] = ()) -> Services:
    """Sort services by what happens to them: compose recreates one exactly when its own entry differs.

    `repaired` are folders that were edited in place and are put right: who reads them is made anew, too.
    """
    anew = {folder.partition("/")[2].rpartition("-")[0] for folder in repaired}
    new = compose_services(bundle.file("docker-compose.yml").content.decode())
    old_text = state.texts.get("docker-compose.yml")
    old = _services_of(old_text) if old_text else new if state.manifest else {}
    network = moves(bundle, state)
    moved = {name for name, one in new.items() if network and one.get("network_mode") != "host"}
    running = {container.service for container in state.containers if container.running}
    kept = [service.name for service in bundle.services if not service.job]
    return Services(
        restarts=tuple(
            Restart(
                name,
                "; ".join(
                    (
                        *([f"the containers' network becomes {network}"] if name in moved else ()),
                        *(
                            ["its files were edited on the host"]
                            if name in anew
                            else _why(name, old.get(name, {}), new[name], bundle, state)
                        ),
                    )
                ),
                tuple(state.restarts.get(name, ())),
            )
            for name in kept
            if name in running and (name in anew | moved or new[name] != old.get(name))
        ),
        starts=tuple(name for name in kept if name not in running),
        stops=tuple(sorted({container.service for container in state.containers} - set(kept))),
    )


def _services_of(text: str) -> Mapping[str, Any]:
    """Read the old compose file; what can't be read (edited, cut) is nobody's."""
    try:
        found = compose_services(text)
        pairs = list(found.items())
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: one for name, one in pairs if isinstance(one, dict)}


def _why(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any], bundle: Bundle, state: HostState
) -> Iterator[str]:
    keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    if not old:
        yield "it was not made by this tool"
        return
    was = {logical(path): text for path, text in state.texts.items()}
    files = [
        file.logical.rpartition("/")[2]
        for file in bundle.files
        if file.logical.startswith(f"services/{name}/")
        and was.get(file.logical, file.content.decode()) != file.content.decode()
    ]
    if files:
        yield f"{', '.join(files)} change{'s' if len(files) == 1 else ''}"
    if new.get("init") and not old.get("init"):
        yield INIT
    entry = [key for key in keys if key != "init" and (key != FILES or not files)]
    if entry:
        yield f"its {', '.join(entry)} change{'s' if len(entry) == 1 else ''}"


def with_history(
    found: tuple[Restart, ...], host: str, states: Mapping[str, HostState]
) -> tuple[Restart, ...]:
    """Where a service was never made anew on this host, say how long that took on another of the cluster."""
    return tuple(one if one.took_s else _from_others(one, host, states) for one in found)


def _from_others(one: Restart, host: str, states: Mapping[str, HostState]) -> Restart:
    for name, state in states.items():
        if name != host and (seconds := state.restarts.get(one.service)):
            return replace(one, took_s=tuple(seconds), took_on=name)
    return one
