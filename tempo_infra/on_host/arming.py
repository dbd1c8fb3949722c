"""The steps around a switch: arm before it, healthy and confirm after it, rollback when it is ordered."""

from __future__ import annotations

import contextlib
import shutil
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host import (
    actor,
    data_folder,
    images,
    manifest,
    material,
    mounts,
    program,
    snapshot,
    temporal_version,
    undo,
)
from tempo_infra.on_host import armed as guard
from tempo_infra.on_host.compose_version import remember as remember_compose
from tempo_infra.on_host.containers import running
from tempo_infra.on_host.durable import fsync_folder, make_folder, write_new
from tempo_infra.on_host.garbage import tidy
from tempo_infra.on_host.journal import confirmed, history, in_force, name_of, was_kept
from tempo_infra.on_host.kernel_before import remember
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tempo_infra.on_host.armed import Armed
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change


def arm(layout: Layout, args: change.Arm) -> "dict[str, Optional[str]]":
    """Make sure that all can be put back, then let the host guard itself. Nothing is changed before."""
    now = in_force(layout)
    if now != args.seen:
        raise StepError("the host moved since the plan was made", remedy="run `tempo-infra plan` again")
    earlier = guard.read(layout)
    if earlier is not None and earlier.phase in guard.OPEN:
        raise StepError(guard.not_over(earlier))
    # Without a change that waits for a person, the current generation is the last that was kept or gone
    # back to; the journal may have been lost.
    previous = earlier.previous if earlier else now
    if earlier is None and previous is not None:
        _remember_images(layout, previous)
    good = history(layout)
    # What is left and can't be read can't be asked either: the way out of it is open all the same.
    back = previous if previous is not None and not manifest.is_damaged(layout, previous) else ZERO
    for generation in sorted({args.digest, back} - {ZERO}):
        images.have(layout, generation, kept=generation in good)
        _need_secrets(layout, generation)
    must_be_able(layout, args.digest, previous)
    before = _keep(layout, args, earlier)
    _keep_aside(layout, args)
    armed = guard.Armed(
        run=args.run,
        who=args.who,
        boot_id=guard.boot_id(layout),
        generation=args.digest,
        previous=previous,
        before=before,
        program=program.save(layout),
        host=args.host,
        on_failure=args.on_failure,
        grace_s=args.grace_s,
        soak_s=args.soak_s,
        inventory=args.inventory,
        login=actor.login(),
        running=running(layout),
        since=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )
    guard.guard(layout, armed)
    return {"previous": previous}


def must_be_able(layout: Layout, generation: str, previous: Optional[str]) -> None:
    """Raise StepError when a generation that lies here could not run: nothing is changed, or waited for."""
    if generation == ZERO:
        if not snapshot.is_kept(layout.zero):
            raise StepError(f"generation 0 is gone from {layout.generations}", remedy="nothing was switched")
        return
    _need_secrets(layout, generation)
    if previous is not None and (why := temporal_version.too_far(layout, previous, generation)):
        raise StepError(why, remedy="nothing was switched; go through the versions between them")
    if why := _not_its_data(layout, generation):
        raise StepError(why, remedy="nothing was switched; the way is forward: tempo-infra provision")


def _remember_images(layout: Layout, generation: str) -> None:
    """Keep what they are; what can't be asked or written now the next change keeps."""
    with contextlib.suppress(StepError, OSError):
        images.remember(layout, generation)


def _need_secrets(layout: Layout, generation: str) -> None:
    """Refuse a generation whose password a rotation has retired, or a secret of which somebody took away."""
    made = manifest.of_generation(layout, generation)
    logins = {
        f"{layout.secrets}/{path.partition('/')[0]}"
        for path, one in made.material.items()
        if one.is_login(path)
    }
    sources = () if made.material else mounts.of_generation(layout, generation)
    logins |= {one for one in sources if one.startswith(f"{layout.secrets}/")}
    gone = {one: "which a rotation of the password took away" for one in logins if not Path(one).exists()}
    gone |= {f"{layout.secrets}/{path}": "which is not there" for path in material.lacking(layout, made)}
    for source, why in sorted(gone.items()):
        raise StepError(
            f"generation {generation[:12]} reads {source}, {why}",
            remedy="nothing was switched; the only way is forward: tempo-infra provision",
        )


def _not_its_data(layout: Layout, generation: str) -> str:
    """Say when a generation's database would run as somebody else than its data's owner: it can't read it."""
    wanted = manifest.of_generation(layout, generation)
    if "postgresql" not in wanted.instances:
        return ""
    return data_folder.another_owner(data_folder.look_or_why(layout), wanted.users.postgresql)


def _keep(layout: Layout, args: change.Arm, earlier: Optional[Armed]) -> str:
    """Keep what the change could overwrite and return the folder of that, in the state folder."""
    wanted, shipped, kernel = _owned(layout, args.digest), _shipped(layout), _kernel(layout, args.digest)
    live = manifest.of_generation(layout, args.digest).live if layout.current.is_symlink() else {}
    if earlier is not None:  # what that one has changed must go back too, whatever comes on top of it
        folder = layout.state / earlier.before
        values = snapshot.add(layout, folder, {*wanted, *live}, kernel)
    elif not layout.current.is_symlink():
        folder = layout.zero
        shutil.rmtree(folder, ignore_errors=True)  # of a first run before this one: nothing of it is in force
        values = snapshot.take(layout, folder, wanted, kernel, beside=[layout.plain_compose_file])
    else:
        folder = layout.runs / args.run / "before"
        values = snapshot.take(layout, folder, {*wanted, *shipped, *live}, kernel)
    if layout.zero.is_dir() and (first := set(wanted) - set(shipped) - snapshot.paths(layout.zero)):
        snapshot.add(layout, layout.zero, first, kernel)  # files that are ours from now on only
    remember(layout, values)
    return str(folder.relative_to(layout.state))


def _keep_aside(layout: Layout, args: change.Arm) -> None:
    """Copy what will be overwritten of others: files that were named, and ours that somebody edited."""
    shipped = _shipped(layout)
    for path in sorted({*args.take_over, *_edited(layout, shipped)}):
        target, copy = layout.installed(path), layout.state / "taken-over" / args.run / path
        if target.is_file() and not target.is_symlink() and not copy.exists():
            make_folder(copy.parent, 0o700)
            write_new(copy, target.read_bytes(), 0o600)
            fsync_folder(copy.parent)


def _edited(layout: Layout, shipped: "dict[str, str]") -> "list[str]":
    targets = {path: layout.installed(path) for path in shipped}
    return [
        path
        for path, target in targets.items()
        if target.is_file() and sha256(target.read_bytes()).hexdigest() != shipped[path]
    ]


def _owned(layout: Layout, generation: str) -> "dict[str, str]":
    """Return the owned files of a generation with their digests; those of generation 0 without."""
    if generation == ZERO:
        return dict.fromkeys(snapshot.paths(layout.zero), "")
    owned = manifest.of_generation(layout, generation).owned
    return {path: one.sha256 for path, one in owned.items()}


def _kernel(layout: Layout, generation: str) -> "set[str]":
    """Return the kernel values that going there may change, by their paths."""
    zero = snapshot.values(layout.zero) if generation == ZERO else {}
    wanted = manifest.of_generation(layout, generation).kernel
    return {*wanted, *manifest.leaving(layout).kernel, *zero}


def _shipped(layout: Layout) -> "dict[str, str]":
    """Return the owned files of the current generation, as `_owned` does; nothing where there is none."""
    return {path: one.sha256 for path, one in manifest.leaving(layout).owned.items()}


def _ours(layout: Layout, run_id: str) -> Armed:
    armed = guard.open_run(layout, run_id)
    if armed is None:
        raise StepError(
            f"run {run_id} is over on this host: it decided by itself",
            remedy=f"tempo-infra resume {run_id} says what it did",
        )
    return armed


def healthy(layout: Layout, args: change.Healthy) -> "dict[str, int]":
    return {"containers": len(undo.mark_healthy(layout, _ours(layout, args.run)).started)}


def still(layout: Layout, args: change.Still) -> "dict[str, str]":
    undo.soak(layout, _ours(layout, args.run))
    return {}


def confirm(layout: Layout, args: change.Confirm) -> "dict[str, str]":
    armed = _ours(layout, args.run)
    undo.confirm(layout, armed, by=args.why)
    if armed.generation != ZERO:
        _remember_images(layout, armed.generation)
    tidy(layout)
    with contextlib.suppress(StepError, OSError):  # the next one does it
        remember_compose(layout)
    return {}


def rollback(layout: Layout, args: change.Rollback, say: "Callable[[str], None]") -> "dict[str, str]":
    """Put the host back because another one failed; a run that is over here is left as it ended."""
    armed = guard.open_run(layout, args.run)
    if armed is None:
        kept = was_kept(layout, args.run)
        return {"now": f"confirmed: {name_of(confirmed(layout))}" if kept else "nothing to put back"}
    return {"now": undo.failed(layout, armed, args.why, say)}
