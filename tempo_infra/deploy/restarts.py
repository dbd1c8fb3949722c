"""What a push does to services: which are recreated, why, and how long that took here before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tempo_infra.deploy import responses
from tempo_infra.deploy.engine import version
from tempo_infra.deploy.network import moves
from tempo_infra.deploy.responses import manifest
from tempo_infra.on_host.condition import span, startable, starts, trouble
from tempo_infra.render.bundle import logical
from tempo_infra.render.material import moves as moved_material

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tempo_infra.on_host.condition import Container
    from tempo_infra.on_host.manifest import Material
    from tempo_infra.on_host.state import HostState
    from tempo_infra.render.bundle import Bundle

INIT = "an init becomes its process 1, so that no stray process in the container can disturb it"
FILES = "volumes"  # the key of a compose service in which a folder's digest stands


@dataclass(frozen=True, slots=True)
class Restart:
    """One service that runs and is recreated."""

    service: str
    why: str
    took_s: tuple[float, ...] = ()  # earlier times, the last one last; empty: not measured yet
    took_on: str = ""  # the host where that was, when it was another one


@dataclass(frozen=True, slots=True)
class Reload:
    """One service that runs on, and reloads files of its own."""

    service: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Services:
    restarts: tuple[Restart, ...]
    starts: tuple[str, ...]  # services that do not run yet
    stops: tuple[str, ...]  # services that are no longer wanted
    found: Mapping[str, str]  # what is wrong with services, in words
    recreates: tuple[str, ...]  # services whose container is recreated although compose sees nothing to do
    reloads: tuple[Reload, ...]
    waits: tuple[str, ...]  # what was started a moment ago and does not serve yet, in words


def services(
    bundle: Bundle, state: HostState, repaired: Collection[str] = (), altered: Collection[str] = ()
) -> Services:
    """Sort services by what happens to them: compose recreates one exactly when its own entry differs.

    `repaired` are folders that were edited in place, `altered` services of which a secret was:
    who reads them is recreated, too, and so is whose container runs but does not do its work.
    """
    edited = {folder.partition("/")[2].rpartition("-")[0] for folder in repaired}
    new = _services_of(bundle.file("docker-compose.yml").content.decode())
    old_text = state.texts.get("docker-compose.yml")
    old = _services_of(old_text) if old_text else new if state.manifest else {}
    network = moves(bundle, state)
    moved = {name for name in new if network and not bundle.instances[name].shares_network}
    at = {container.service: container for container in state.containers}
    listed = manifest(state)
    had = listed.instances if state.docker.engine else {}
    moved_secrets = [one for one, was in moved_material(listed.material, bundle.material) if was is not None]
    kept = [name for name, one in bundle.instances.items() if not one.job]
    found = {name: words for name in kept if (words := trouble(at[name]) if name in at else _gone(name, had))}
    restarts = []
    for name in kept:
        if name not in at or not at[name].running:
            continue
        why = [f"the containers' network becomes {network}"] if name in moved else []
        why += ["its files were edited on the host"] if name in edited else []
        why += ["a secret of it was changed on the host"] if name in altered else []
        why += [found[name]] if name in found else []
        differs = _differs(at[name], new[name], state, made_otherwise=new[name] != old.get(name))
        if differs:
            secret = [one.name for one in moved_secrets if one.reader == name and not one.reloaded]
            why += _why(name, old.get(name, {}), new[name], bundle, state, secret) or [differs]
        if why:
            restarts.append(Restart(name, "; ".join(why), tuple(state.restarts.get(name, ()))))
    return Services(
        restarts=tuple(restarts),
        starts=tuple(name for name in kept if name not in at or not at[name].running),
        stops=tuple(sorted(at.keys() - set(kept))),
        found=found,
        recreates=tuple(
            sorted(
                {name for name in found if name in at and not startable(at[name])}
                | {one.service for one in restarts if one.service in altered}
            )
        ),
        reloads=tuple(_reloads(kept, bundle, state, {one.service for one in restarts}, moved_secrets)),
        waits=tuple(
            f"{name} was started {span(at[name].since_s)} ago and does not serve yet: it is waited for"
            for name in kept
            if name in at and name not in found and starts(at[name])
        ),
    )


def _reloads(
    kept: Sequence[str],
    bundle: Bundle,
    state: HostState,
    restarts: Collection[str],
    secrets: Sequence[Material],
) -> Iterator[Reload]:
    """Yield services whose folder stays while files or secrets in it change: those that they reload."""
    running = {one.service for one in state.containers if one.running} - set(restarts)
    shipped = manifest(state).files
    for name in kept:
        files = tuple(
            file.logical.rpartition("/")[2]
            for file in bundle.files
            if file.live
            and file.logical.startswith(f"services/{name}/")
            and file.path in shipped
            and shipped[file.path].sha256 != file.sha256
        )
        files += tuple(one.name for one in secrets if one.reader == name and one.reloaded)
        if files and name in running:
            yield Reload(name, files)


def _gone(name: str, had: Mapping[str, Any]) -> str:
    return "its container is gone" if name in had else ""


def _differs(one: Container, entry: Mapping[str, Any], state: HostState, *, made_otherwise: bool) -> str:
    """Return why compose would recreate a container, as far as its own digests tell; empty: it would not.

    `made_otherwise` counts where compose could not be asked.
    """
    wanted = state.configs.get(one.service)
    if wanted is None or not one.config:
        return "its entry in docker-compose.yml changes" if made_otherwise else ""
    if one.config != wanted:
        return "it runs with another configuration than its generation's"
    content = state.image_ids.get(str(entry.get("image", "")), one.image_id)
    return "its image names another content by now" if one.image_id and content != one.image_id else ""


def drift(state: HostState) -> dict[str, str]:
    """Return what is wrong with the services that the current generation keeps running, in words."""
    if state.manifest and state.docker.engine is None:
        why = next((one.what for one in state.docker.unfit), "there is none")
        return {"the Docker engine": f"does not answer, so nobody knows what runs: {why}"}
    found, at = {}, {container.service: container for container in state.containers}
    for name, planned in manifest(state).instances.items():
        one = at.get(name)
        if planned.job:
            continue
        if one is None:
            found[name] = "its container is gone"
        elif words := trouble(one):
            found[name] = words
        elif one.image != planned.image:
            found[name] = f"runs {one.image}, not {planned.image}"
        elif by_others(one, state):
            found[name] = "runs with another configuration than its generation's"
        elif starts(one):
            found[name] = f"was started {span(one.since_s)} ago and does not serve yet: {one.silent}"
    return found


def by_others(one: Container, state: HostState) -> bool:
    """Whether a container was made from something else than the current generation's file.

    Another version of compose may come to another digest of the same file: that is nobody's change.
    """
    wanted = state.configs_now.get(one.service)
    return bool(wanted and one.config) and one.config != wanted and not _by_another_compose(one, state)


def _by_another_compose(one: Container, state: HostState) -> bool:
    """Whether another version made it; distributions write a number of their own behind that."""
    return version(one.compose) != version(state.docker.compose or "")


def only_by_version(found: Services, state: HostState) -> bool:
    """Whether nothing is to be done but what another version of compose would do along with a change."""
    at = {container.service: container for container in state.containers}
    return not (found.starts or found.stops or found.found or found.waits) and all(
        at[one.service].config not in ("", state.configs.get(one.service))
        and _by_another_compose(at[one.service], state)
        for one in found.restarts
    )


def _services_of(text: str) -> Mapping[str, Any]:
    """Return what a compose file says of each service; what can't be read (edited, cut) is nobody's."""
    try:
        pairs = list(responses.yaml(text)["services"].items())
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: one for name, one in pairs if isinstance(one, dict)}


def _why(
    name: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    bundle: Bundle,
    state: HostState,
    secrets: Sequence[str],
) -> list[str]:
    """Return how a service's new entry differs from the one that the host has; nothing where it does not."""
    keys = [key for key in sorted(old.keys() | new.keys(), key=str) if old.get(key) != new.get(key)]
    if not old:
        return []
    was = {logical(path): text for path, text in state.texts.items()}
    files = [
        file.logical.rpartition("/")[2]
        for file in bundle.files
        if file.logical.startswith(f"services/{name}/")
        and was.get(file.logical, file.content.decode()) != file.content.decode()
    ]
    entry = [key for key in keys if key != "init" and (key != FILES or not (files or secrets))]
    return [
        *([f"its secret {', '.join(secrets)} changes"] if secrets else ()),
        *([f"{', '.join(files)} change{'s' if len(files) == 1 else ''}"] if files else ()),
        *([INIT] if new.get("init") and not old.get("init") else ()),
        *([f"its {', '.join(map(str, entry))} change{'s' if len(entry) == 1 else ''}"] if entry else ()),
    ]


def with_history(
    found: tuple[Restart, ...], host: str, states: Mapping[str, HostState]
) -> tuple[Restart, ...]:
    """Where a service was never recreated on this host, say how long that took on another of the cluster."""
    return tuple(one if one.took_s else _from_others(one, host, states) for one in found)


def _from_others(one: Restart, host: str, states: Mapping[str, HostState]) -> Restart:
    for name, state in states.items():
        if name != host and (seconds := state.restarts.get(one.service)):
            return replace(one, took_s=tuple(seconds), took_on=name)
    return one
