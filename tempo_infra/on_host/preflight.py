"""What must hold on a host before its running system is touched, looked at under the lock.

The plan has seen most of it already; facts grow stale. Cheap first, all that is wrong at once. What has to be
done to look (images, a trial start) are steps of their own, after this one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable

from tempo_infra.on_host import identity, ports
from tempo_infra.on_host.network_addresses import addresses
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout

PROBE_BYTES = 4096


@dataclass(frozen=True)
class PreflightArgs:
    """What the change needs."""

    bytes: int  # on the state folder's disk
    files: int
    internal: str
    bindings: "list[str]" = field(default_factory=list)  # address:port of services that do not run yet
    database: bool = False
    new_data: bool = False  # the plan saw no database here
    forget: bool = False  # the database that was here is given up, by name


def preflight(layout: Layout, args: PreflightArgs) -> "dict[str, int]":
    """Go through all guards; StepError with everything that they found."""
    found = [problem for guard in GUARDS for problem in guard(layout, args)]
    if found:
        raise StepError("; ".join(found), remedy="nothing was touched")
    return {"guards": len(GUARDS)}


def _room(layout: Layout, args: PreflightArgs) -> "list[str]":
    """Bytes and inodes for twice the payload."""
    place = nearest(layout.state)
    usage = os.statvfs(place)
    free, found = usage.f_bavail * usage.f_frsize, []
    if free < args.bytes:
        found.append(f"{place} needs {args.bytes >> 20} MiB, {free >> 20} MiB are free")
    if usage.f_files and usage.f_favail < args.files:  # some file systems count none
        found.append(f"{place} needs {args.files} inodes, {usage.f_favail} are free")
    return found


def _writes(layout: Layout, args: PreflightArgs) -> "list[str]":
    folders = [layout.state, *(layout.root / name for name in OWNED)]
    folders += [layout.data] if args.database else []
    problems = {str(place): _write(place) for place in map(nearest, folders)}
    return [f"{place} can't be written: {why}" for place, why in problems.items() if why]


def _address(_: Layout, args: PreflightArgs) -> "list[str]":
    return (
        [] if args.internal in addresses() else [f"the internal address {args.internal} is not up any more"]
    )


def _ports(_: Layout, args: PreflightArgs) -> "list[str]":
    return [f"port {one} is taken by {who.name}" for one, who in ports.taken(args.bindings).items()]


def _data(layout: Layout, args: PreflightArgs) -> "list[str]":
    if not args.database:
        return []
    folder = layout.data / "postgres"
    pin, number = identity.pinned(layout), identity.number_of(folder)
    pin = None if args.forget and number is None else pin
    why = identity.why_not(pin, number, identity.foreign(folder), wanted_new=args.new_data)
    return [why] if why else []


Guard = Callable[["Layout", PreflightArgs], "list[str]"]
# In this order. One more, such as the age of the last backup, is one more entry: what is wrong, or nothing.
GUARDS: "tuple[Guard, ...]" = (_room, _writes, _address, _ports, _data)
OWNED = ("etc/sysctl.d", "etc/tmpfiles.d", "etc/security/limits.d", "etc/systemd/system")


def nearest(path: Path) -> Path:
    """Return the folder itself, or the first of its parents that is there."""
    while not path.exists():
        path = path.parent
    return path


def read_only(layout: Layout) -> "list[str]":
    """Say which of our folders lie on a file system that is mounted read-only; nothing is written."""
    places = {
        nearest(folder) for folder in (layout.state, layout.data, *(layout.root / one for one in OWNED))
    }
    return sorted(str(place) for place in places if os.statvfs(place).f_flag & os.ST_RDONLY)


def _write(folder: Path) -> str:
    """Write and fsync a file that never gets a name; why that fails, or nothing."""
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
        try:
            os.write(descriptor, bytes(PROBE_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return str(error.strerror)
    return ""
