"""Images that the operator brings: an archive comes in pieces, is compared as a whole, and then loaded.

What has come stays when the link is cut, and the next run goes on from there. Nothing is loaded before all of
it is what was announced; the engine gives an image its name when it has all of it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host import contents, engine
from tempo_infra.on_host.durable import make_folder
from tempo_infra.on_host.shell import StepError, must, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change

ASK_S, TAG_S = 20.0, 20.0
READ_BYTES = 1 << 20
ANEW = "nothing was switched; run the same command again, which sends it anew"
ROOM = "nothing was switched; make room on the disk of the engine's images (Docker Root Dir) and of {}"
SHOWN = 19  # characters of a digest in messages


@dataclass(frozen=True)
class Received:
    """How much of an archive is here."""

    have: int


def receive(layout: Layout, args: change.Receive) -> Received:
    """Make ready for an archive: what has come of it before stays, what has come of another one goes."""
    folder, file = layout.arriving, _file(layout, args.sha256)
    make_folder(folder, 0o700)
    for child in folder.iterdir():
        if child != file:
            child.unlink()
    have = file.stat().st_size if file.is_file() and not file.is_symlink() else 0
    if have > args.length:
        file.unlink()
        have = 0
    left = os.statvfs(folder)
    free = left.f_bavail * left.f_frsize
    if free < args.length - have:
        raise StepError(
            f"{folder} needs {(args.length - have) >> 20} MiB, {free >> 20} MiB are free",
            remedy=ROOM.format(folder),
        )
    return Received(have)


def piece(layout: Layout, args: change.Piece) -> Received:
    """Put a piece behind what is here; one that does not follow, or goes beyond the end, is refused."""
    file, end = _file(layout, args.sha256), args.offset + len(args.payload)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_size != args.offset or end > args.length:
            raise StepError("a piece of the images does not follow the one before", remedy=ANEW)
        rest, at = memoryview(args.payload), args.offset
        try:
            while rest:
                count = os.pwrite(descriptor, rest, at)
                rest, at = rest[count:], at + count
        except OSError as error:
            os.ftruncate(descriptor, args.offset)
            raise StepError(f"{file.parent}: {error.strerror}", remedy=ROOM.format(file.parent)) from error
    finally:
        os.close(descriptor)
    return Received(end)


@dataclass(frozen=True)
class Loaded:
    images: "list[str]"


def load(layout: Layout, args: change.Load) -> Loaded:
    """Load the archive that has come, and see that each image is what was planned. StepError."""
    file = _file(layout, args.sha256)
    if not file.is_file() or _sha256(file) != args.sha256:
        file.unlink(missing_ok=True)
        raise StepError("the images did not arrive as they were sent", remedy=ANEW)
    before = {name: engine.image_id(name, deadline_s=ASK_S) for name in args.contents}
    output = run(["docker", "load", "-q", "-i", str(file)], deadline_s=args.deadline_s)
    if output.returncode != 0:
        full = "no space left" in output.err.lower()
        raise StepError(
            f"docker load: {output.last_words}", remedy=ROOM.format(layout.arriving) if full else ""
        )
    for name, wanted in args.contents.items():
        if not contents.has(name, wanted, deadline_s=ASK_S, root=layout.root):
            if not before[name]:
                run(["docker", "rmi", "--no-prune", name], deadline_s=TAG_S)
            raise StepError(_another(name, wanted), remedy="nothing was switched")
    clear(layout)
    return Loaded(sorted(args.contents))


def tag(layout: Layout, args: change.Tag) -> Loaded:
    """Give images that are here under another name the one by which they are started."""
    for name, wanted in args.contents.items():
        if not _named(layout, name, wanted):
            raise StepError(_another(name, wanted), remedy="nothing was switched")
    return Loaded(sorted(args.contents))


def prove(layout: Layout, wanted: "Mapping[str, str]") -> None:
    """See that images are here and are what they are wanted for. A lost name is given back. StepError."""
    for name, content in wanted.items():
        here = contents.has(name, content, deadline_s=ASK_S, root=layout.root)
        if here is None and engine.has_image(content, deadline_s=ASK_S):
            here = _named(layout, name, content)
        if here is None:
            raise StepError(
                f"{name} ({content[:SHOWN]}) is gone from this host",
                remedy="`tempo-infra provision` brings it again, and `tempo-infra rollback` that of an "
                "earlier generation, from an archive that has it (images.archives)",
            )
        if not here:
            raise StepError(
                _another(name, content), remedy=f"find out who did that, then `docker rmi {name}` there"
            )


def _named(layout: Layout, name: str, content: str) -> "Optional[bool]":
    """Name an image that is here by its content; whether the name stands for that now."""
    must(["docker", "tag", content, name], deadline_s=TAG_S)
    return contents.has(name, content, deadline_s=ASK_S, root=layout.root)


def clear(layout: Layout) -> None:
    """Take away what has come and is not needed any more."""
    shutil.rmtree(layout.arriving, ignore_errors=True)


def _another(name: str, wanted: str) -> str:
    return f"{name} is another content on this host than was planned ({wanted[:SHOWN]})"


def _file(layout: Layout, sha256: str) -> Path:
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):  # noqa: PLR2004 - of a sha256
        raise StepError("no name of an archive")
    return layout.arriving / f"{sha256}.tar"


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while part := opened.read(READ_BYTES):
            digest.update(part)
    return digest.hexdigest()
