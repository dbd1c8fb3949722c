"""Leaving a host: our containers, files under /etc and state go; data and what was never ours stay."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import data_folder, manifest, snapshot, units
from tempo_infra.on_host.cluster_name import refuse_another
from tempo_infra.on_host.containers import down
from tempo_infra.on_host.durable import make_folder, remove_file, write_new
from tempo_infra.on_host.kernel_before import before as values_before
from tempo_infra.on_host.shell import StepError, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import upkeep

KEPT_ASIDE = "taken-over"  # copies of files that somebody else wrote or edited: they stay


@dataclass(frozen=True)
class Removed:
    """What was taken away, what was put back, and what stays."""

    services: "list[str]" = field(default_factory=list)
    files: "list[str]" = field(default_factory=list)
    aside: "list[str]" = field(default_factory=list)  # edited here: copies stay in the state folder
    put_back: "dict[str, str]" = field(default_factory=dict)  # kernel value -> what it is again
    left: "list[str]" = field(default_factory=list)  # kernel values that stay until the next boot
    same: "dict[str, str]" = field(default_factory=dict)  # kernel values that were found as ours are
    copies: str = ""  # the folder of other people's files, which stays
    data: "list[str]" = field(default_factory=list)
    images: "list[str]" = field(default_factory=list)
    state: bool = False  # the state folder held more than a lock and copies of other people's files


def remove(layout: Layout, args: upkeep.Remove) -> Removed:
    """Take everything of ours away but data and images; again on a host without any of it does nothing."""
    refuse_another(layout, args.cluster)
    refuse_open_run(layout)
    shipped, state = manifest.current(layout), _has_state(layout)
    owned = {path: one.sha256 for path, one in shipped.owned.items()}
    services = down()
    put_back, left, same = _put_live_values_back(layout, shipped.kernel)
    files, aside = _take_files_away(layout, args.run, owned)
    _forget_state(layout)
    units.take_up(layout, files)
    run(["systemctl", "reset-failed", "tempo-infra*"], deadline_s=60)
    images = sorted({one.image for one in shipped.instances.values()})
    found = data_folder.look_or_why(layout)
    data = [str(layout.data / data_folder.NAME)] if found.there or found.problem else []
    others = layout.state / KEPT_ASIDE
    copies = str(others) if others.is_dir() else ""
    return Removed(services, files, aside, put_back, left, same, copies, data, images, state)


def _has_state(layout: Layout) -> bool:
    found = layout.state.iterdir() if layout.state.is_dir() else ()
    return any(child.name not in (KEPT_ASIDE, layout.lock.name) for child in found)


def refuse_open_run(layout: Layout) -> None:
    armed = guard.read(layout)
    if armed is not None and armed.phase in guard.OPEN:
        raise StepError(guard.not_over(armed))


def _put_live_values_back(
    layout: Layout, ours: "Mapping[str, str]"
) -> "tuple[dict[str, str], list[str], dict[str, str]]":
    """Give kernel values back as they were before the first provision, where nobody changed them since.

    Returns those, the ones that stay until the next boot, and the ones that were found as ours are: by an
    administrator, or left by an earlier `eject`.
    """
    before = {name: " ".join(value.split()) for name, value in values_before(layout).items()}
    put_back: "dict[str, str]" = {}
    left: "list[str]" = []
    same: "dict[str, str]" = {}
    for name, value in sorted(ours.items()):
        now, was = snapshot.live_value(layout, name), before.get(name)
        if now is None or now == was:
            same |= {name: value} if now == value else {}
            continue
        if was == "0" and snapshot.INSTEAD.get(name) in before:
            name = snapshot.INSTEAD[name]  # noqa: PLW2901 - the one that was in force
            was = before[name]
        if was is not None and now == value and snapshot.write_live(layout, name, was):
            put_back[name] = was
        else:
            left.append(name)
    return put_back, left, same


def _take_files_away(layout: Layout, run_id: str, owned: "dict[str, str]") -> "tuple[list[str], list[str]]":
    files, aside = [], []
    for path, shipped in sorted(owned.items()):
        target = layout.installed(path)
        if not target.is_file() or target.is_symlink():
            continue
        content = target.read_bytes()
        if hashlib.sha256(content).hexdigest() != shipped:
            copy = layout.state / KEPT_ASIDE / run_id / path
            make_folder(copy.parent, 0o700)
            write_new(copy, content, 0o600)
            aside.append(str(copy))
        remove_file(target)
        _rmdir_if_ours(target.parent)
        files.append(path)
    return files, aside


def _rmdir_if_ours(folder: Path) -> None:
    """Take away a drop-in folder that we made and nobody else uses; it holds nothing then."""
    if folder.name.endswith(".d") and folder.parent.name == "system":
        with contextlib.suppress(OSError):
            folder.rmdir()


def _forget_state(layout: Layout) -> None:
    """Take the state folder away: generations, secrets, journal; copies of other people's files stay."""
    armed = guard.read(layout)
    if armed is not None:
        guard.disarm(layout, armed)  # a run that was held or failed
    if not layout.state.is_dir():
        return
    # `current` late: until then a run that was cut off finds what is left to do. Then the lock: whoever waits
    # for it makes a new one where there is none.
    last = [layout.current, layout.lock]
    for child in sorted(layout.state.iterdir(), key=lambda one: (one in last, one == layout.lock)):
        if child.name == KEPT_ASIDE:
            continue
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
    with contextlib.suppress(OSError):
        layout.state.rmdir()
