"""What a push would change on one host: a comparison of two values, without any contact."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from tempo_infra.deploy.bringing import NOTHING, Bring
from tempo_infra.deploy.difference import unified
from tempo_infra.deploy.engine import version
from tempo_infra.deploy.network import new_subnets
from tempo_infra.deploy.plan_file import parts
from tempo_infra.deploy.preconditions import Allowed, problems, to_bind
from tempo_infra.deploy.responses import manifest
from tempo_infra.deploy.restarts import only_by_version, services
from tempo_infra.deploy.values import value_changes
from tempo_infra.inventory.cluster import Role
from tempo_infra.on_host import engine
from tempo_infra.on_host.ownership import ABOVE, IMMUTABLE, KIND, MODE
from tempo_infra.render.bundle import STATE, logical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.deploy.namespaces import NamespaceChange
    from tempo_infra.deploy.origin import OriginChange
    from tempo_infra.deploy.restarts import Reload, Restart
    from tempo_infra.deploy.values import ValueChange
    from tempo_infra.inventory.cluster import Host
    from tempo_infra.on_host.manifest import Entry, Material
    from tempo_infra.on_host.ownership import Wrong
    from tempo_infra.on_host.state import HostState
    from tempo_infra.render.bundle import Bundle
    from tempo_infra.sizing import HostSettings

GENERATED = "generated"  # in place of the digest of a password that is not there yet
SHOWN_DIGITS = 12  # of a secret's keyed digest
NOTHING_MORE = Allowed()


class Action(StrEnum):
    CREATE = "+"
    UPDATE = "~"
    DELETE = "-"


@dataclass(frozen=True, slots=True)
class Change:
    path: str  # logical: without the digest of a service's folder
    action: Action
    effect: str
    diff: str  # unified


@dataclass(frozen=True, slots=True)
class SecretChange:
    """A secret that changes, by keyed digests: they say that it differs, no more."""

    name: str  # reader/file
    old: str | None  # None: the host has none
    new: str | None  # None: nothing reads it any more
    effect: str = ""  # "recreates echo"


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What would be done to a host, what speaks against it, and what to know before."""

    host: str
    digest: str
    changes: tuple[Change, ...] = ()
    values: tuple[ValueChange, ...] = ()  # sized values among the changes, with their reasons
    restarts: tuple[Restart, ...] = ()  # services that run and are recreated
    reloads: tuple[Reload, ...] = ()  # services that run on and reload files
    starts: tuple[str, ...] = ()  # services that do not run yet
    stops: tuple[str, ...] = ()  # services that are no longer wanted
    found: Mapping[str, str] = field(default_factory=dict)  # what is wrong with services, in words
    recreates: tuple[str, ...] = ()  # services that are recreated although compose would leave them
    secrets: tuple[SecretChange, ...] = ()
    pull: tuple[str, ...] = ()  # images that are not on the host, which pulls them
    bring: Bring = NOTHING  # images that this machine brings
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # each one ends the run before anything is changed
    installed: Mapping[str, str | None] = field(default_factory=dict)  # digests of owned files, as seen
    bind: tuple[str, ...] = ()  # address:port that nothing of ours listens on yet
    subnets: tuple[str, ...] = ()  # that the containers do not have yet
    new_data: bool = False  # there is no database here: PostgreSQL's image will make one
    data_bytes: int = 0  # of Temporal's databases, as the running server says
    system_identifier: str | None = None  # of the database that is here
    seen: str | None = None  # the generation that is current
    previous: str | None = None  # the generation that a failed change goes back to
    state: Mapping[str, str] = field(default_factory=dict)  # digests of what the plan rests on
    take_over: tuple[str, ...] = ()  # files of someone else that are overwritten, each kept aside first
    repair: tuple[str, ...] = ()  # folders in the state folder that were edited in place, likewise
    wrong: tuple[Wrong, ...] = ()  # owners, modes and kinds of our files that are put right
    namespaces: tuple[NamespaceChange, ...] = ()  # made or changed in Temporal, from this host
    origin: OriginChange | None = None  # the secrets file that is in use from now on
    overridden: tuple[str, ...] = ()  # problems that --take-over passes over

    @property
    def is_noop(self) -> bool:
        return not self.namespaces and self.origin is None and self.keeps_generation

    @property
    def keeps_generation(self) -> bool:
        """Whether the host itself is as it should be: namespaces live in Temporal, not on a host."""
        todo = (self.changes, self.restarts, self.starts, self.stops, self.secrets, self.notes, self.repair)
        return not any(todo) and not self.wrong and not self.bring

    @property
    def files_only(self) -> bool:
        """Whether owned system files change and nothing else: every container stays as it is."""
        more = (
            self.restarts
            or self.starts
            or self.stops
            or self.secrets
            or self.notes
            or self.pull
            or self.bring
            or self.repair
        )
        owned = all(change.path.startswith("etc/") for change in self.changes) and all(
            one.path.startswith("/etc/") for one in self.wrong
        )
        return owned and not more and not self.new_data and not self.keeps_generation


def plan_host(
    host: Host,
    bundle: Bundle,
    state: HostState,
    secrets: Mapping[str, str],
    allowed: Allowed = NOTHING_MORE,
    settings: HostSettings | None = None,
) -> HostPlan:
    """Compare a host's bundle with its state. `secrets`: the digests that were asked for, by path."""
    shipped = manifest(state).files
    tampered = _tampered(bundle, state)
    repair = tuple(sorted(set(tampered.values()))) if allowed.take_over else ()
    altered = _altered(bundle, state, secrets)
    touched = services(bundle, state, repair, {one.reader for one in altered if not one.reloaded})
    unconfirmed = state.generation is not None and state.confirmed != state.generation
    made = HostPlan(
        host=host.name,
        digest=bundle.digest,
        changes=_changes(bundle, state, shipped),
        values=value_changes(settings, bundle, state) if settings else (),
        restarts=touched.restarts,
        reloads=touched.reloads,
        starts=touched.starts,
        stops=touched.stops,
        secrets=_secrets(bundle, state, secrets, altered),
        pull=tuple(one for one in bundle.images if one not in {*state.images, *bundle.manifest.contents}),
        found=touched.found,
        recreates=touched.recreates,
        notes=(*_notes(bundle, state, allowed, unconfirmed=unconfirmed), *touched.waits),
        problems=problems(host, bundle, state, allowed)
        + (
            ()
            if allowed.take_over
            else (*_conflicts(bundle, state, shipped, tampered), *_other_passwords(bundle, state))
        ),
        installed=state.installed,
        bind=tuple(to_bind(bundle, state)),
        subnets=tuple(new_subnets(bundle, state)),
        new_data=host.has(Role.POSTGRESQL) and state.system_identifier is None and not state.data_problem,
        data_bytes=sum(size for name, size in state.live.sizes.items() if name.startswith("temporal")),
        system_identifier=state.system_identifier,
        seen=state.generation,
        previous=state.last_good,
        state=parts(state),
        take_over=edited(bundle, state, shipped) if allowed.take_over else (),
        repair=repair,
        wrong=tuple(one for one in state.wrong if _is_put_right(one, bundle)),
    )
    if only_by_version(touched, state) and replace(made, restarts=()).keeps_generation:
        made = replace(made, restarts=())  # compose is not even asked
    stuck = tuple(str(one) for one in state.wrong if _is_stuck(one) and _is_read(one, bundle))
    return made if made.keeps_generation else replace(made, problems=(*made.problems, *stuck))


def _is_put_right(one: Wrong, bundle: Bundle) -> bool:
    return one.kind in (MODE, KIND) and not _is_stuck(one) and _is_read(one, bundle)


def _is_stuck(one: Wrong) -> bool:
    """Whether only a person can set it right: what is linked under /etc may be meant so."""
    linked = one.kind == KIND and (one.path.startswith("/etc/") or one.wanted == "a folder")
    return linked or one.kind == IMMUTABLE


def _is_read(one: Wrong, bundle: Bundle) -> bool:
    """Whether it is of use to the wanted generation: what only an older one reads is left."""
    inside = one.path.removeprefix(f"{STATE}/")
    if inside.startswith("services/"):
        return any(f"{file.path}/".startswith(f"{inside}/") for file in bundle.files)
    return not inside.startswith("generations/") or inside.startswith(f"generations/{bundle.digest}")


def _altered(bundle: Bundle, state: HostState, asked: Mapping[str, str]) -> list[Material]:
    """Return the material whose files on the host are not what its own manifest says of them."""
    had = manifest(state).material
    return [
        one
        for path, one in bundle.material.items()
        if path in had and path in asked and had[path].digest == one.digest
        if any(state.secrets.get(place) != one.digest for place in (path, one.live(path)))
    ]


def _secrets(
    bundle: Bundle, state: HostState, asked: Mapping[str, str], altered: Sequence[Material]
) -> tuple[SecretChange, ...]:
    """Return which secrets change: by what the host's manifest lists, else by what lies there."""
    old = manifest(state).material
    had = {one.label: one for one in old.values()}
    found = []
    for path, one in bundle.material.items():
        was = had.get(one.label)
        there = state.secrets.get(one.live(path)) if path in asked else one.digest
        known = there if was is None or was.digest == one.digest or one.is_login(path) else was.digest
        if known != one.digest:
            effect = "" if one.is_login(path) else _effect(one)
            found.append(SecretChange(one.label, _short(known), _short(one.digest) or GENERATED, effect))
    found += [SecretChange(one.label, _short(one.digest), None) for one in _unread(old, bundle)]
    found += [
        SecretChange(
            one.label, _short(one.digest), _short(one.digest), "written again: its file was changed here"
        )
        for one in altered
        if one.label not in {each.name for each in found}
    ]
    return tuple(sorted(found, key=lambda one: one.name))


def _unread(old: Mapping[str, Material], bundle: Bundle) -> list[Material]:
    """Return what nothing reads any more; nothing for a generation of before material was listed."""
    wanted = {one.label for one in bundle.material.values()}
    return [one for one in old.values() if wanted and one.label not in wanted]


def _effect(one: Material) -> str:
    return f"reloaded by {one.reader}" if one.reloaded else f"recreates {one.reader}"


def _short(digest: str | None) -> str | None:
    return digest and digest[:SHOWN_DIGITS]


def _notes(bundle: Bundle, state: HostState, allowed: Allowed, *, unconfirmed: bool) -> tuple[str, ...]:
    had = manifest(state).cluster
    renamed = had == allowed.renamed_from and had not in ("", bundle.cluster)
    return (
        *((f"the cluster {had} is called {bundle.cluster} from now on",) if renamed else ()),
        *(("the last run was not confirmed: its steps are done again",) if unconfirmed else ()),
        *((f"{state.leftovers} files of a run that was cut off are taken away",) if state.leftovers else ()),
    )


def _changes(bundle: Bundle, state: HostState, shipped: Mapping[str, Entry]) -> tuple[Change, ...]:
    new = {file.logical: file for file in bundle.files}
    old = {logical(path): path for path in shipped}
    changes = []
    for name in sorted(new.keys() | old.keys()):
        file, path = new.get(name), old.get(name)
        before = state.texts.get(path, "") if path else ""
        if file is None:
            changes.append(Change(name, Action.DELETE, "taken away", _diff(name, before, "")))
        elif path is None:
            changes.append(Change(name, Action.CREATE, file.effect, _diff(name, "", file.content.decode())))
        elif shipped[path].sha256 != file.sha256:
            effect = f"reloaded by {name.split('/')[1]}" if file.live and path == file.path else file.effect
            changes.append(Change(name, Action.UPDATE, effect, _diff(name, before, file.content.decode())))
        elif name.startswith("etc/") and state.installed.get(path) != file.sha256:
            found = state.edited[path].found if path in state.edited else ""
            action = Action.UPDATE if found else Action.CREATE
            changes.append(Change(name, action, file.effect, _diff(name, found, file.content.decode())))
    return tuple(changes)


def _diff(path: str, old: str, new: str) -> str:
    return "".join(f"{line}\n" for line in unified(old, new, f"old/{path}", f"new/{path}"))


def edited(bundle: Bundle, state: HostState, shipped: Mapping[str, Entry]) -> tuple[str, ...]:
    """Owned files that someone else wrote or edited: neither what we shipped last nor what we want now."""
    wanted = {file.path: file.sha256 for file in bundle.files}
    return tuple(
        path
        for path, found in state.installed.items()
        if found is not None and found not in (wanted.get(path), path in shipped and shipped[path].sha256)
    )


def _tampered(bundle: Bundle, state: HostState) -> dict[str, str]:
    """Files edited in place that the new generation would read, with the folder that they lie in."""
    found = {}
    for path in state.tampered:
        if path.startswith("services/") and any(file.path == path for file in bundle.files):
            found[path] = "/".join(path.split("/")[:2])
        elif not path.startswith("services/") and state.generation == bundle.digest:
            found[path] = f"generations/{bundle.digest}"
    return found


def _conflicts(
    bundle: Bundle,
    state: HostState,
    shipped: Mapping[str, Entry],
    tampered: Mapping[str, str],
) -> tuple[str, ...]:
    places = [
        *edited(bundle, state, shipped),
        *(f"{STATE[1:]}/{path if path.startswith('services/') else f'current/{path}'}" for path in tampered),
    ]
    return tuple(
        f"/{path} was changed on the host since the last push; "
        "put the change into templates/ or move it away (--take-over writes over it and keeps it aside)"
        for path in places
    )


def _other_passwords(bundle: Bundle, state: HostState) -> tuple[str, ...]:
    """Refuse another password for a login that is known here: it would be changed under running services.

    Not where the host's own manifest says the wanted one: then somebody has changed the file.
    """
    had = manifest(state).material
    wanted = {
        path: one.digest
        for path, one in bundle.material.items()
        if one.is_login(path) and not (path in had and had[path].digest == one.digest)
    }
    return tuple(
        f"the secrets file has {'another' if digest else 'no'} password {'than' if digest else 'for'} "
        f"{STATE}/secrets/{name}: is it this cluster's? Where the right one is lost, `tempo-infra secrets "
        "recover` recreates it from what lies on the hosts; `tempo-infra secrets rotate` changes passwords "
        "while all works (--take-over sets this one; until all hosts have it, new logins fail)"
        for name, digest in sorted(wanted.items())
        if state.last_good and state.secrets.get(name) not in (None, digest)
    )


def warnings(state: HostState) -> list[str]:
    """Return what is worth knowing about a host without standing in the way."""
    found = []
    if state.docker.engine and version(state.docker.engine) < engine.ADVISED:
        found.append(
            f"Docker engine {state.docker.engine}: before 28, ports published on one address can be reached "
            "from the same network segment by another"
        )
    found += [one.words for one in state.accounts.shared]
    if state.accounts.unasked:
        found.append(state.accounts.unasked)
    found += [f"others may replace what is ours: {one}" for one in state.wrong if one.kind == ABOVE]
    if state.live.unasked:
        found.append(f"not compared with the running database: {state.live.unasked}")
    return found
