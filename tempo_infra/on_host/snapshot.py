"""What a change could overwrite on a host, kept byte for byte before it and put back from there."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Optional

from tempo_infra.on_host.durable import fsync_folder, make_folder, remove_file, replace_file, write_new
from tempo_infra.on_host.kernel_files import FOLDERS, plain, values_in
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout

BODY = "before.json"  # in a snapshot: what it speaks of
MORE = "more-"  # folders in a snapshot that later runs have added
# Of each pair the kernel holds one; the other reads 0 then and can't be written back.
INSTEAD = {f"proc/sys/vm/{name}_bytes": f"proc/sys/vm/{name}_ratio" for name in ("dirty", "dirty_background")}


@dataclass(frozen=True)
class Kept:
    """An owned file as it was; `mode` None: there was none."""

    mode: Optional[int] = None
    uid: int = 0
    gid: int = 0


def take(
    layout: Layout,
    folder: Path,
    owned: "Iterable[str]",
    kernel: "Iterable[str]",
    beside: "Iterable[Path]" = (),
) -> "dict[str, str]":
    """Keep the owned files, and kernel values as they are now; return those.

    `kernel` names the values that the change sets; those that the files here set, somebody else's too, are
    kept as well. `beside` are other files that are kept by their name, where they are there.
    """
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    if not folder.parent.is_dir():
        make_folder(folder.parent, 0o755)
    make_folder(temporary, 0o700)
    kept, texts = {}, []
    for path in sorted(owned):
        target = layout.installed(path)
        if target.is_symlink() or (target.exists() and not target.is_file()):
            raise StepError(f"/{path} is not a plain file; it is left as it is, and nothing was switched")
        kept[path] = Kept()
        if target.is_file():
            status, content = target.stat(), target.read_bytes()
            kept[path] = Kept(status.st_mode & 0o7777, status.st_uid, status.st_gid)
            make_folder((temporary / path).parent, 0o700)
            write_new(temporary / path, content, 0o600)
            texts += [content.decode(errors="replace")] if path.startswith(FOLDERS) else []
    for file in beside:
        if file.is_file():
            write_new(temporary / file.name, file.read_bytes(), 0o600)
    live = _live(layout, {*kernel, *values_in(texts)})
    body = {"files": {path: asdict(one) for path, one in kept.items()}, "live": live}
    write_new(temporary / BODY, json.dumps(body, sort_keys=True, indent=1).encode(), 0o600)
    for inner in sorted({p for p in temporary.rglob("*") if p.is_dir()} | {temporary}, reverse=True):
        fsync_folder(inner)
    temporary.rename(folder)
    fsync_folder(folder.parent)
    return live


def add(layout: Layout, folder: Path, owned: "Iterable[str]", kernel: "Iterable[str]") -> "dict[str, str]":
    """Keep, within a snapshot, what it does not speak of yet; return the live values as `take` does."""
    return take(layout, folder / f"{MORE}{len(_parts(folder))}", set(owned) - paths(folder), kernel)


def _parts(folder: Path) -> "list[Path]":
    """Return the folders of a snapshot; of what several speak of, the first one counts."""
    added = folder.glob(f"{MORE}*")
    return [folder, *sorted(added, key=lambda part: int(part.name[len(MORE) :]))]


def is_kept(folder: Path) -> bool:
    return (folder / BODY).is_file()


def paths(folder: Path) -> "set[str]":
    """Return the owned files that a snapshot speaks of; empty where there is none."""
    return {path for part in _parts(folder) for path in _body(part)["files"]} if is_kept(folder) else set()


def values(folder: Path) -> "dict[str, str]":
    """Return the kernel values that a snapshot keeps."""
    found: "dict[str, str]" = {}
    for part in reversed(_parts(folder)):
        found |= _body(part)["live"]
    return dict(sorted(found.items()))


def _body(part: Path) -> "dict[str, dict[str, Any]]":
    found: "dict[str, dict[str, Any]]" = json.loads((part / BODY).read_text())
    return found


def put_back(layout: Layout, folder: Path) -> None:
    """Put owned files and live kernel values back as they were; may be repeated.

    StepError names the files that could not be put back, once all the others are.
    """
    problems = [problem for part in _parts(folder) for problem in _put_files_back(layout, part)]
    set_live(layout, values(folder))
    if problems:
        raise StepError("; ".join(problems))


def _put_files_back(layout: Layout, folder: Path) -> "Iterator[str]":
    for path, entry in sorted(_body(folder)["files"].items()):
        try:
            _put_file_back(layout.installed(path), folder / path, Kept(**entry))
        except OSError as error:
            yield f"/{path} can't be put back: {error.strerror}"


def _put_file_back(target: Path, copy: Path, kept: Kept) -> None:
    if kept.mode is None:
        remove_file(target)
        return
    content = copy.read_bytes()
    make_folder(target.parent, 0o755) if not target.parent.is_dir() else None
    if not _is(target, content, kept):
        replace_file(target, content, kept.mode, kept.uid)
        if os.geteuid() == 0:
            os.chown(target, kept.uid, kept.gid)


def set_live(layout: Layout, values: "dict[str, str]") -> None:
    """Write kernel values back; what the kernel will not take back, nothing can have changed."""
    for name, value in values.items():
        write_live(layout, name, value)


def write_live(layout: Layout, name: str, value: str) -> bool:
    """Write a kernel value; whether the kernel took it."""
    try:
        (layout.root / name).write_text(f"{value}\n")
    except OSError:
        return False
    return True


def _is(target: Path, content: bytes, kept: Kept) -> bool:
    if target.is_symlink() or not target.is_file():
        return False
    status = target.stat()
    same = (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (kept.mode, kept.uid, kept.gid)
    return same and target.read_bytes() == content


def _live(layout: Layout, kernel: "Iterable[str]") -> "dict[str, str]":
    names = set(kernel)
    names |= {INSTEAD[name] for name in names if name in INSTEAD}
    values = {name: live_value(layout, name) for name in sorted(names)}
    return {name: value for name, value in values.items() if value is not None}


def live_value(layout: Layout, name: str) -> "Optional[str]":
    """Read a kernel value as it would be written; None where the kernel has none or shows none."""
    try:
        value = (layout.root / name).read_text().strip()
    except OSError:
        return None
    chosen = re.search(r"\[(\w+)\]", value)  # "always [madvise] never"
    return chosen[1] if chosen else plain(value)
