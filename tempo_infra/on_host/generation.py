"""Generations on the host: stage one complete and verified, then switch to it."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tempo_infra.on_host import kernel_refuses, manifest, material, ownership, snapshot, units
from tempo_infra.on_host.durable import (
    fsync_folder,
    make_folder,
    remove_file,
    replace_file,
    replace_symlink,
    write_new,
)
from tempo_infra.on_host.kernel_before import give_back
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.leftovers import sweep
from tempo_infra.on_host.shell import StepError, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.manifest import Entry
    from tempo_infra.on_host.steps import change


LARGEST_BYTES = 64 * 1024 * 1024  # unpacked; a host's files are some ten kB
OURS = {manifest.KEY: ownership.SECRET_MODE}  # of what no manifest lists, its own file apart


@dataclass(frozen=True)
class Staged:
    generation: str
    files: int
    written: bool  # false when it was there already


def stage(layout: Layout, args: change.Stage) -> Staged:
    """Verify the archive, write its files under temporary names, fsync, and only then name them."""
    archive = args.payload
    if len(archive) != args.length or hashlib.sha256(archive).hexdigest() != args.sha256:
        raise StepError(f"the archive arrived cut or changed ({len(archive)} of {args.length} bytes)")
    files = _unpack(archive)
    made = _verified(files, args.digest)
    shipped = made.files
    generation = layout.generations / args.digest
    for folder in (layout.state, layout.generations, layout.services):
        make_folder(folder, 0o755)
    sweep(layout)
    services = sorted({PurePosixPath(path).parts[1] for path in shipped if path.startswith("services/")})
    written = False
    for name in services:
        part = {
            path[len(f"services/{name}/") :]: path for path in shipped if path.startswith(f"services/{name}/")
        }
        aside = _aside(layout, args, f"services/{name}")
        written |= _write_tree(layout.services / name, part, files, shipped, aside)
    # Of files that are written into a running service's folder, the generation keeps its own.
    names = {manifest.NAME, *({manifest.KEY} & files.keys()), *shipped}
    rest = {path: path for path in names if not path.startswith("services/") or shipped[path].live}
    aside = _aside(layout, args, f"generations/{args.digest}")
    written |= _write_tree(generation, rest, files, shipped, aside)
    written |= bool(_put_right(layout, generation, files, shipped))
    written |= bool(material.write(layout, made, files))
    return Staged(args.digest, len(files), written)


def _put_right(
    layout: Layout, generation: Path, files: dict[str, bytes], shipped: "Mapping[str, Entry]"
) -> "list[str]":
    """Set owners and modes right of what was here already; those under /etc are the switch's."""
    wanted = list(ownership.of_generation(layout, shipped, generation))
    ours = [one for one in wanted if layout.state in (one.path, *one.path.parents)]
    contents = {ownership.where(layout, path, generation): content for path, content in files.items()}
    return ownership.put_right(ours, contents)


def _aside(layout: Layout, args: change.Stage, name: str) -> Path | None:
    """Return where a folder goes that was edited in place; None for one that is as it should be."""
    return layout.state / args.aside / name if args.aside and name in args.repair else None


def _set_aside(folder: Path, target: Path) -> None:
    """Move a folder away; a container goes on reading the one that it began with."""
    make_folder(target.parent, 0o700)
    folder.rename(target)
    fsync_folder(target.parent)


def _unpack(archive: bytes) -> dict[str, bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            return dict(_members(tar))
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise StepError(f"the archive can't be read: {error}") from error


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    left = LARGEST_BYTES
    for member in tar:
        path = PurePosixPath(member.name)
        plain = member.isfile() and path.parts and not path.is_absolute() and ".." not in path.parts
        if not plain or str(path) != member.name or "\0" in member.name:
            raise StepError(f"the archive holds something else than plain files: {member.name!r}")
        left -= member.size
        if left < 0:
            raise StepError(f"the archive holds more than {LARGEST_BYTES >> 20} MiB")
        content = tar.extractfile(member)
        yield member.name, content.read() if content else b""


def _verified(files: dict[str, bytes], digest: str) -> manifest.Manifest:
    """Return what the manifest says of files that are all there, and are what it says."""
    text = files.get(manifest.NAME, b"")
    if hashlib.sha256(text).hexdigest() != digest:
        raise StepError("the manifest is not the one that was planned")
    made = manifest.parse(text)
    for path, entry in made.files.items():
        if path not in files or hashlib.sha256(files[path]).hexdigest() != entry.sha256:
            raise StepError(f"{path}: content differs from the manifest")
    return made


def _write_tree(
    final: Path,
    members: dict[str, str],
    files: dict[str, bytes],
    shipped: "Mapping[str, Entry]",
    aside: Path | None,
) -> bool:
    if final.is_dir() and aside is None:
        return False
    temporary = final.with_name(f".{final.name}.{os.urandom(6).hex()}")
    make_folder(temporary, 0o755)
    for name, path in members.items():
        target = temporary / name
        if target.parent != temporary:
            make_folder(target.parent, 0o755)
        mode, uid = (entry.mode, entry.uid) if (entry := shipped.get(path)) else (OURS.get(path, 0o644), 0)
        write_new(target, files[path], mode, uid)
    for folder in sorted({p for p in temporary.rglob("*") if p.is_dir()} | {temporary}, reverse=True):
        fsync_folder(folder)
    if aside is not None and final.is_dir():
        _set_aside(final, aside)
    temporary.rename(final)
    fsync_folder(final.parent)
    return True


@dataclass(frozen=True)
class Switched:
    installed: list[str]
    removed: list[str]
    say: str = ""  # what the kernel refused


def switch(layout: Layout, args: change.Switch) -> Switched:
    """Make a staged generation the current one and install its owned files under /etc."""
    if args.digest == ZERO:
        return _switch_to_zero(layout)
    generation = layout.generations / args.digest
    coming, going = manifest.read(generation), manifest.leaving(layout)
    wanted, shipped = _switched(coming), _switched(going)
    _refuse_when_moved(layout, args.found)
    installed = []
    for path, entry in sorted(wanted.items()):
        content = (generation / path).read_bytes()
        target = layout.installed(path)
        if _is_as_shipped(target, content, entry.mode, entry.uid):
            continue
        make_folder(target.parent, 0o755) if not target.parent.is_dir() else None
        replace_file(target, content, entry.mode, entry.uid)
        installed.append(path)
    gone = (path for path in shipped.keys() - wanted.keys() if path.startswith("etc/"))
    removed = sorted(path for path in gone if layout.installed(path).exists())
    for path in removed:
        remove_file(layout.installed(path))
    material.switch(layout, coming, going)
    give_back(layout, going.kernel.keys() - coming.kernel.keys())
    replace_symlink(layout.current, f"generations/{args.digest}")
    units.take_up(layout, (*installed, *removed))
    refused = _apply(layout, sorted(wanted), coming.kernel)
    if refused and args.insist:
        raise StepError(f"the kernel refuses settings: {'; '.join(refused)}", remedy=kernel_refuses.REMEDY)
    return Switched(installed, removed, f"without {'; '.join(refused)}" if refused else "")


def _is_as_shipped(target: Path, content: bytes, mode: int, uid: int = 0) -> bool:
    if target.is_symlink() or not target.is_file():
        return False
    wrong = [one for one in ownership.wrong_with(ownership.Want(target, mode, uid)) if one.kind == "mode"]
    return not wrong and target.read_bytes() == content


def _switch_to_zero(layout: Layout) -> Switched:
    """Put files and kernel values back as they were before the first provision; no generation is current."""
    going = manifest.leaving(layout)
    shipped = going.owned
    kept = snapshot.paths(layout.zero)
    for path in sorted(shipped.keys() - kept):
        remove_file(layout.installed(path))
    snapshot.put_back(layout, layout.zero)
    material.switch(layout, manifest.NONE, going)
    give_back(layout, going.kernel.keys() - snapshot.values(layout.zero).keys())
    remove_file(layout.current)
    units.take_up(layout, shipped)
    installed = sorted(path for path in kept if layout.installed(path).is_file())
    return Switched(installed, sorted(shipped.keys() - set(installed)))


def _switched(one: manifest.Manifest) -> "dict[str, Entry]":
    """Return the files that a switch writes to where they are read."""
    return {**one.owned, **one.live}


def _refuse_when_moved(layout: Layout, found: dict[str, str | None]) -> None:
    for path, seen in found.items():
        target = layout.installed(path)
        now = hashlib.sha256(target.read_bytes()).hexdigest() if target.is_file() else None
        if now != seen:
            raise StepError(f"/{path} changed since the plan was made", remedy="run `tempo-infra plan` again")


def _apply(layout: Layout, owned: list[str], kernel: "Mapping[str, str]") -> list[str]:
    """Bring owned kernel settings to life and read them back; what is not in force, with what was said."""
    said = []
    for path in owned:
        target = str(layout.installed(path))
        if path.startswith("etc/sysctl.d/"):
            words = ["sysctl", "-q", "-p", target]
        elif path.startswith("etc/tmpfiles.d/"):
            words = ["systemd-tmpfiles", "--create", target]
        else:
            continue
        output = run(words, deadline_s=20)
        if output.returncode != 0:
            said.append(f"/{path}: {output.last_words}")
    refused = kernel_refuses.afterwards(layout, kernel)
    return [*refused, *said] if refused else []
