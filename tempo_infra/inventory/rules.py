"""The rules that cross values. They read the tree, so that they speak also when other values are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from tempo_infra.components import COMPONENTS
from tempo_infra.inventory import addresses, override_rules, subnets
from tempo_infra.inventory.catalogue import built_in
from tempo_infra.inventory.cluster import image_names
from tempo_infra.inventory.document import Mapping, Node, Scalar, Sequence, descend, mark_of
from tempo_infra.inventory.problems import Loc, Mark, Problem, did_you_mean, quoted

Found: TypeAlias = Iterator[tuple[Loc, str]]

DIGESTS: Loc = ("images", "digests")
SOURCES: Loc = ("images", "sources")

ARCHIVING = frozenset({"archive_mode", "archive_command", "archive_library", "archive_timeout"})

_PUBLIC = (
    "{}, and nothing protects the cluster's ports there yet;"
    " use a private address, or take the risk with accept: [public-internal]"
)

_STALE = (
    "the cluster does not run {}, so this pins nothing;"
    " `tempo-infra images pin` writes the digests of those that it runs"
)


def broken(root: Node, wrong: frozenset[Loc]) -> list[Problem]:
    """Return what breaks a rule. `wrong` are the places already refused: no rule speaks about those again."""
    found = [(loc, what) for rule in RULES for loc, what in rule(root, wrong)]
    return [
        Problem(mark_of(root, loc, key=_names_a_key(loc)), loc, what)
        for loc, what in found
        if loc not in wrong
    ]


def _names_a_key(loc: Loc) -> bool:
    return loc == ("hosts",) or "thresholds" in loc or loc[:2] in (DIGESTS, SOURCES)


def _children(root: Node, *loc: str | int) -> list[tuple[Loc, Node]]:
    node = descend(root, loc)
    if isinstance(node, Mapping):
        return [((*loc, name), entry.node) for name, entry in node.entries.items()]
    if isinstance(node, Sequence):
        return [((*loc, number), item) for number, item in enumerate(node.items)]
    return []


def _text(root: Node, *loc: str | int) -> str | None:
    node = descend(root, loc)
    return node.text if isinstance(node, Scalar) else None


def _where(mark: Mark) -> str:
    return f"line {mark.line}"


def _roles(root: Node, host: Loc) -> list[tuple[Loc, str]]:
    return [(loc, node.text) for loc, node in _children(root, *host, "roles") if isinstance(node, Scalar)]


def _hosts_of_each_role(root: Node, wrong: frozenset[Loc]) -> Found:
    """As many as the component's row says: at least so many, and at most."""
    places = [found for host, _ in _children(root, "hosts") for found in _roles(root, host)]
    for row in (one for one in COMPONENTS if not one.is_job):
        first, *others = [loc for loc, role in places if role == row.name] or [()]
        if row.most == 1:
            for loc in others:
                if loc[:2] != first[:2]:
                    yield (
                        loc,
                        f"a second {row.name} host: {first[1]} is one, and exactly one is supported for now",
                    )
        if row.least and not first and _roles_are_known(root, wrong):
            some = "exactly one" if row.most == 1 else "at least one"
            yield ("hosts",), f"no host has the role {row.name}; {some} needs it"


def _roles_are_known(root: Node, wrong: frozenset[Loc]) -> bool:
    """Whether each host's roles could be read: a misspelt role is not also a missing one."""
    refused = any(loc[:1] == ("hosts",) and (len(loc) == 1 or loc[2:3] in ((), ("roles",))) for loc in wrong)
    return bool(_children(root, "hosts")) and not refused


def _roles_once(root: Node, _wrong: frozenset[Loc]) -> Found:
    for host, _ in _children(root, "hosts"):
        seen: set[str] = set()
        for loc, role in _roles(root, host):
            if role in seen:
                yield loc, f"{quoted(role)} is here twice"
            seen.add(role)


def _addresses_once(root: Node, wrong: frozenset[Loc]) -> Found:
    default_port = _text(root, "ssh", "port") or "22"
    seen: dict[tuple[str, str], Loc] = {}
    for host, _ in _children(root, "hosts"):
        for field in ("address", "internal"):
            loc = (*host, field)
            value = _text(root, *loc)
            if value is None or loc in wrong:
                continue
            port = _text(root, *host, "ssh", "port") or default_port
            key = (field, f"{addresses.canonical(value)} {port}" if field == "address" else value)
            if first := seen.get(key):
                yield loc, f"{value} is already {first[1]}'s address ({_where(mark_of(root, first))})"
            seen.setdefault(key, loc)


def _internal_is_private(root: Node, _wrong: frozenset[Loc]) -> Found:
    accepted = {node.text for _, node in _children(root, "accept") if isinstance(node, Scalar)}
    if "public-internal" in accepted:
        return
    for host, _ in _children(root, "hosts"):
        value = _text(root, *host, "internal")
        if value and (why := addresses.why_not_private(value)):
            yield (*host, "internal"), _PUBLIC.format(why)


def _address_in(text: str) -> str:
    """Return the address of a host or a jump host; empty where it is none."""
    try:
        return addresses.canonical(addresses.split_port(text.rpartition("@")[2])[0])
    except ValueError:
        return ""


def _subnets_hold_no_host(root: Node, wrong: frozenset[Loc]) -> Found:
    hosts = [host for host, _ in _children(root, "hosts")]
    known = [loc for host in hosts for loc in ((*host, "internal"), (*host, "address"))]
    jumps = [(*section, "ssh", "proxy_jump") for section in ((), *hosts)]
    for place in ((*section, "subnet") for section in ((), *hosts)):
        network = None if place in wrong else _text(root, *place)
        for loc in (*known, *jumps) if network else ():
            address = _address_in(_text(root, *loc) or "")
            if network and subnets.holds(network, address):
                yield place, f"{address} lies in it ({'.'.join(map(str, loc))}, {_where(mark_of(root, loc))})"
                break


def _classes_are_known(root: Node, _wrong: frozenset[Loc]) -> Found:
    own = {str(loc[1]) for loc, _ in _children(root, "classes")}
    known = [*built_in().classes, *sorted(own - set(built_in().classes))]
    for host, _ in _children(root, "hosts"):
        value = _text(root, *host, "class")
        if value is not None and value not in known:
            hint = did_you_mean(value, known) or f"; known are {', '.join(known)}"
            yield (*host, "class"), f"unknown class {quoted(value)}{hint}"


def _own_classes_are_whole(root: Node, wrong: frozenset[Loc]) -> Found:
    catalogue = built_in()
    for loc, node in _children(root, "classes"):
        if not isinstance(node, Mapping):
            continue
        if loc[1] not in catalogue.classes:
            for key in ("purpose", "leans"):
                if key not in node.entries and (*loc, key) not in wrong:
                    yield (*loc, key), "is missing; a new class needs it"
        for place, _ in _children(root, *loc, "thresholds"):
            if place[-1] not in catalogue.thresholds:
                yield place, f"unknown threshold{did_you_mean(str(place[-1]), catalogue.thresholds)}"


def _namespaces_once(root: Node, _wrong: frozenset[Loc]) -> Found:
    seen: dict[str, Loc] = {}
    for item, _ in _children(root, "temporal", "namespaces"):
        loc = (*item, "name")
        name = _text(root, *loc)
        if name is not None and name in seen:
            yield loc, f"{quoted(name)} is already a namespace ({_where(mark_of(root, seen[name]))})"
        elif name is not None:
            seen[name] = loc


def _digests_are_of_its_images(root: Node, wrong: frozenset[Loc]) -> Found:
    for loc in stale_digests(root, wrong):
        name = str(loc[-1])
        yield loc, _STALE.format(quoted(name))


def _sources_are_of_its_images(root: Node, wrong: frozenset[Loc]) -> Found:
    names = _images(root, wrong)
    known = sorted({name.rpartition(":")[0] for name in names or ()})
    for loc, _ in _children(root, *SOURCES) if names else ():
        if loc[-1] not in known:
            hint = did_you_mean(str(loc[-1]), known) or f"; it runs {', '.join(known)}"
            yield loc, f"the cluster runs no image {quoted(str(loc[-1]))}{hint}"


def stale_digests(root: Node, wrong: frozenset[Loc] = frozenset()) -> list[Loc]:
    """Return where digests stand whose image the cluster does not run; none while versions are not known."""
    names = _images(root, wrong)
    return [loc for loc, _ in _children(root, *DIGESTS) if loc[-1] not in names] if names else []


def _images(root: Node, wrong: frozenset[Loc]) -> tuple[str, ...]:
    """Return the images that the cluster runs; none while versions or roles are not known."""
    versions = [("temporal", "version"), ("postgres", "version"), ("temporal", "ui")]
    temporal, postgres, ui = (None if loc in wrong else _text(root, *loc) for loc in versions)
    if temporal is None or postgres is None or ui is None or not _roles_are_known(root, wrong):
        return ()
    roles = {role for host, _ in _children(root, "hosts") for _, role in _roles(root, host)}
    options = {"backup"} if isinstance(descend(root, ("backup",)), Mapping) else set()
    return image_names(roles, {"temporal": temporal, "postgres": postgres, "ui": ui}, options)


def _repositories_once(root: Node, wrong: frozenset[Loc]) -> Found:
    """Refuse a second repository in the same place: it is for the day when the first one is gone."""
    seen: dict[tuple[str, ...], Loc] = {}
    for loc, _ in _children(root, "backup", "repositories"):
        host, path = _text(root, *loc, "host"), _text(root, *loc, "path")
        if host is None or path is None or {(*loc, "host"), (*loc, "path")} & wrong:
            continue
        first = seen.setdefault((addresses.canonical(host), path), loc)
        if first != loc:
            yield (*loc, "path"), f"{path} of {host} is a repository already ({_where(mark_of(root, first))})"


def _repositories_are_elsewhere(root: Node, wrong: frozenset[Loc]) -> Found:
    """Refuse the database's own host: what is kept there is lost with it."""
    for host, _ in _children(root, "hosts"):
        if "postgresql" not in {role for _, role in _roles(root, host)}:
            continue
        own = {addresses.canonical(_text(root, *host, name) or "") for name in ("address", "internal")}
        for loc, _ in _children(root, "backup", "repositories"):
            place = (*loc, "host")
            if place not in wrong and addresses.canonical(_text(root, *place) or "-") in own:
                yield place, f"is {host[-1]}, which has the database: a backup is for the day when it is gone"


def _archiving_has_one_owner(root: Node, _wrong: frozenset[Loc]) -> Found:
    if not isinstance(descend(root, ("backup",)), Mapping):
        return
    for place in (("overrides",), *((*host, "overrides") for host, _ in _children(root, "hosts"))):
        for loc, _ in _children(root, *place, "postgresql"):
            if str(loc[-1]).casefold() in ARCHIVING:
                yield loc, "can't be set beside `backup`, which sets it"


RULES: tuple[Callable[[Node, frozenset[Loc]], Found], ...] = (
    _hosts_of_each_role,
    _roles_once,
    _addresses_once,
    _internal_is_private,
    _subnets_hold_no_host,
    _classes_are_known,
    _own_classes_are_whole,
    _namespaces_once,
    _digests_are_of_its_images,
    _sources_are_of_its_images,
    _repositories_once,
    _repositories_are_elsewhere,
    _archiving_has_one_owner,
    override_rules.values,
    override_rules.names_once,
    override_rules.of_what_runs,
)
