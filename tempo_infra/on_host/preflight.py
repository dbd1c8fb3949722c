"""What must hold on a host before its running system is touched, looked at under the lock.

The plan has seen most of it already; facts grow stale. Cheap first, all that is wrong at once. What has to be
done to look (images, a trial start) are steps of their own, after this one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable

from tempo_infra.on_host import (
    accounts,
    cluster_name,
    data_folder,
    engine,
    identity,
    kernel_refuses,
    ports,
    subnets,
    which_engine,
)
from tempo_infra.on_host.network_addresses import addresses
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout

ENGINE_S = 45.0  # for an answer, on a host that may be small and busy


def preflight(layout: Layout, args: change.Preflight) -> "dict[str, int]":
    """Go through all guards; StepError with everything that they found."""
    found = [problem for guard in GUARDS for problem in guard(layout, args)]
    if found:
        raise StepError("; ".join(found), remedy="nothing was touched")
    return {"guards": len(GUARDS)}


def _room(layout: Layout, args: change.Preflight) -> "list[str]":
    """Bytes and inodes for twice the payload."""
    place = data_folder.nearest(layout.state)
    usage = os.statvfs(place)
    free, found = usage.f_bavail * usage.f_frsize, []
    if free < args.bytes:
        found.append(f"{place} needs {args.bytes >> 20} MiB, {free >> 20} MiB are free")
    if usage.f_files and usage.f_favail < args.files:  # some file systems count none
        found.append(f"{place} needs {args.files} inodes, {usage.f_favail} are free")
    return found


def _image_room(layout: Layout, args: change.Preflight) -> "list[str]":
    """Bytes for images that are brought: as they come, as the engine unpacks them, and as layers."""
    if not args.image_bytes:
        return []
    try:
        place = layout.root / str((engine.ask("/info", deadline_s=ENGINE_S) or {})["DockerRootDir"]).lstrip(
            "/"
        )
        usage, same = (
            os.statvfs(place),
            place.stat().st_dev == data_folder.nearest(layout.state).stat().st_dev,
        )
    except (StepError, OSError, LookupError) as error:
        return [f"nobody knows where the engine keeps images: {error}"]
    free, wanted = usage.f_bavail * usage.f_frsize, args.image_bytes + (args.bytes if same else 0)
    if free < wanted:
        return [f"{place} needs {wanted >> 20} MiB for images that are brought, {free >> 20} MiB are free"]
    return []


def _writes(layout: Layout, args: change.Preflight) -> "list[str]":
    folders = [layout.state, *(layout.root / name for name in OWNED)]
    problems = {str(place): data_folder.write_probe(place) for place in map(data_folder.nearest, folders)}
    found = [f"{place} can't be written: {why}" for place, why in problems.items() if why]
    of_data = data_folder.why_not_written(layout) if args.database else ""
    return list(dict.fromkeys([*found, *([of_data] if of_data else [])]))


def _engine(layout: Layout, args: change.Preflight) -> "list[str]":
    """Also one that has just been installed, by whatever settings an earlier one has left."""
    found = which_engine.find(deadline_s=ENGINE_S, root=layout.root)
    if found.absent:
        return ["no Docker engine is here any more"]
    if args.rules and not found.filters:
        return ['Docker makes no rules of the firewall ("iptables": false)']
    return [f"{one.what} ({one.remedy})" for one in found.unfit]


def _address(_: Layout, args: change.Preflight) -> "list[str]":
    return (
        [] if args.internal in addresses() else [f"the internal address {args.internal} is not up any more"]
    )


def _ports(_: Layout, args: change.Preflight) -> "list[str]":
    return [f"port {one} is taken by {who.name}" for one, who in ports.taken(args.bindings).items()]


def _subnets(_: Layout, args: change.Preflight) -> "list[str]":
    if not args.subnets:
        return []
    try:
        found = subnets.look(args.subnets, deadline_s=ENGINE_S)
    except (StepError, OSError) as error:
        return [f"nobody knows who has {', '.join(args.subnets)} here: {error}"]
    return [words for one in args.subnets for words in subnets.problems(found, one)]


def _data(layout: Layout, args: change.Preflight) -> "list[str]":
    if not args.database:
        return []
    pin, found = identity.pinned(layout), data_folder.look_or_why(layout)
    pin = None if args.forget and found.number is None else pin
    full = data_folder.too_full(found.free_bytes, new=found.number is None)
    why = found.problem or identity.why_not(pin, found.number, found.others, wanted_new=args.new_data)
    if not why and args.data_uid is not None:
        why = data_folder.another_owner(found, args.data_uid)
    return [one for one in (why, full) if one]


def _cluster(layout: Layout, args: change.Preflight) -> "list[str]":
    why = cluster_name.why_not(cluster_name.cluster_here(layout), args.cluster, args.renamed_from)
    return [why] if why else []


def _users(_: Layout, args: change.Preflight) -> "list[str]":
    return [one.words for one in accounts.look(args.nobodys).shared]


def _kernel(layout: Layout, args: change.Preflight) -> "list[str]":
    return list(kernel_refuses.beforehand(layout, args.kernel))


Guard = Callable[["Layout", change.Preflight], "list[str]"]
# In this order. One more, such as the age of the last backup, is one more entry: what is wrong, or nothing.
GUARDS: "tuple[Guard, ...]" = (
    _cluster,
    _engine,
    _room,
    _image_room,
    _writes,
    _address,
    _ports,
    _subnets,
    _data,
    _users,
    _kernel,
)
OWNED = ("etc/sysctl.d", "etc/tmpfiles.d", "etc/security/limits.d", "etc/systemd/system")


def read_only(layout: Layout) -> "list[str]":
    """Say which of our folders lie on a file system that is mounted read-only; nothing is written."""
    places = {data_folder.nearest(folder) for folder in (layout.state, *(layout.root / one for one in OWNED))}
    return sorted(str(place) for place in places if os.statvfs(place).f_flag & os.ST_RDONLY)
