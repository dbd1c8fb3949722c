"""The steps around a switch: arm before it, healthy and confirm after it, rollback when it is ordered."""

from __future__ import annotations

import contextlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import engine, program, snapshot, undo
from tempo_infra.on_host.compose_version import remember as remember_compose
from tempo_infra.on_host.containers import PullArgs, pull, running
from tempo_infra.on_host.durable import fsync_folder, make_folder, write_new
from tempo_infra.on_host.garbage import ZERO, collect
from tempo_infra.on_host.journal import last_good
from tempo_infra.on_host.kernel_before import remember
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tempo_infra.on_host.armed import Armed
    from tempo_infra.on_host.layout import Layout


@dataclass(frozen=True)
class ArmArgs:
    run: str
    who: str
    digest: str
    seen: Optional[str]  # the generation that was current when the plan was made
    host: str
    ports: "dict[str, int]"
    take_over: "list[str]"  # owned files that someone else wrote: copies of them stay on the host
    on_failure: str = "rollback"
    grace_s: float = 60.0
    soak_s: float = 0.0


@dataclass(frozen=True)
class RunArgs:
    run: str
    why: str = ""


def arm(layout: Layout, args: ArmArgs) -> "dict[str, Optional[str]]":
    """Make sure that all can be put back, then let the host guard itself. Nothing is changed before."""
    now = layout.current.resolve().name if layout.current.is_symlink() else None
    if now != args.seen:
        raise StepError("the host moved since the plan was made", remedy="run `tempo-infra plan` again")
    earlier = guard.read(layout)
    if earlier is not None and earlier.phase in guard.OPEN:
        raise StepError(guard.not_over(earlier))
    previous = earlier.previous if earlier else last_good(layout)
    for generation in {args.digest, previous or args.digest}:
        _need_images(layout, generation)
        _need_secrets(layout, generation)
    before = earlier.before if earlier else _keep(layout, args, previous)
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
        ports=args.ports,
        on_failure=args.on_failure,
        grace_s=args.grace_s,
        soak_s=args.soak_s,
        running=running(layout),
        since=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )
    guard.guard(layout, armed)
    return {"previous": previous}


def _need_images(layout: Layout, generation: str) -> None:
    """Have a generation's images, also of the one to go back to: `docker image prune -a` takes them."""
    manifest = layout.generations / generation / "manifest.json"
    if not manifest.is_file():
        raise StepError(
            f"generation {generation[:12]} is gone from {layout.generations}",
            remedy="nothing was switched",
        )
    services = json.loads(manifest.read_text())["services"].values()
    wanted = sorted({one["image"] for one in services if not one["job"]})
    if absent := [image for image in wanted if not engine.has_image(image, deadline_s=20)]:
        pull(PullArgs(absent))


def _need_secrets(layout: Layout, generation: str) -> None:
    """Refuse a generation whose password a rotation has retired: its services could not log in."""
    text = (layout.generations / generation / "docker-compose.yml").read_text()
    for folder in sorted(set(re.findall(rf"source: ({re.escape(str(layout.secrets))}/\S+)", text))):
        if not Path(folder).is_dir():
            raise StepError(
                f"generation {generation[:12]} reads {folder}, which a rotation of the password took away",
                remedy="nothing was switched; the only way is forward: tempo-infra provision",
            )


def _keep(layout: Layout, args: ArmArgs, previous: Optional[str]) -> str:
    owned = set(_owned(layout, args.digest))
    if layout.current.is_symlink():
        owned |= set(_owned(layout, layout.current.resolve().name))
    zero = layout.generations / ZERO
    folder = zero if previous is None and not zero.exists() else layout.runs / args.run / "before"
    remember(layout, snapshot.take(layout, folder, sorted(owned), layout.generations / args.digest))
    return str(folder.relative_to(layout.state))


def _keep_aside(layout: Layout, args: ArmArgs) -> None:
    for path in args.take_over:
        target, copy = layout.installed(path), layout.state / "taken-over" / args.run / path
        if target.is_file() and not target.is_symlink() and not copy.exists():
            make_folder(copy.parent, 0o700)
            write_new(copy, target.read_bytes(), 0o600)
            fsync_folder(copy.parent)


def _owned(layout: Layout, generation: str) -> "list[str]":
    manifest = json.loads((layout.generations / generation / "manifest.json").read_text())
    return [path for path in manifest["files"] if path.startswith("etc/")]


def _ours(layout: Layout, run_id: str) -> Armed:
    armed = guard.read(layout)
    if armed is None or armed.run != run_id or armed.phase not in guard.OPEN:
        raise StepError(
            f"run {run_id} is over on this host: it decided by itself",
            remedy=f"tempo-infra resume {run_id} says what it did",
        )
    return armed


def healthy(layout: Layout, args: RunArgs) -> "dict[str, int]":
    return {"containers": len(undo.mark_healthy(layout, _ours(layout, args.run)).started)}


def still(layout: Layout, args: RunArgs) -> "dict[str, str]":
    undo.soak(layout, _ours(layout, args.run))
    return {}


def confirm(layout: Layout, args: RunArgs) -> "dict[str, str]":
    undo.confirm(layout, _ours(layout, args.run), by=args.why)
    with contextlib.suppress(StepError, OSError):  # the next one does it
        collect(layout)
        remember_compose(layout)
    return {}


def rollback(layout: Layout, args: RunArgs, say: "Callable[[str], None]") -> "dict[str, str]":
    """Put the host back because another one failed; a run that is over here is left as it ended."""
    armed = guard.read(layout)
    if armed is None or armed.run != args.run or armed.phase not in guard.OPEN:
        return {"now": "nothing to put back"}
    return {"now": undo.failed(layout, armed, args.why, say)}
