"""What a change could overwrite on a host, kept byte for byte before it and put back from there."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Optional

from tempo_infra.on_host.durable import fsync_folder, make_folder, remove_file, replace_file, write_new
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout

LIVE = re.compile(r"^\s*-?([a-z0-9_.\-/]+)\s*=", re.MULTILINE)  # a line of sysctl.d
WRITTEN = re.compile(r"^w\S*\s+(/sys/\S+|/proc/sys/\S+)", re.MULTILINE)  # a line of tmpfiles.d


@dataclass(frozen=True)
class Kept:
    """An owned file as it was; `mode` None: there was none."""

    mode: Optional[int] = None
    uid: int = 0
    gid: int = 0


def take(layout: Layout, folder: Path, owned: "list[str]", new: Path) -> "dict[str, str]":
    """Keep the owned files and the live kernel values that they, or the new ones, speak of; return those."""
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    make_folder(temporary, 0o700)
    kept, texts = {}, []
    for path in owned:
        target = layout.installed(path)
        if target.is_symlink() or (target.exists() and not target.is_file()):
            raise StepError(f"/{path} is not a plain file; it is left as it is, and nothing was switched")
        kept[path] = Kept()
        if target.is_file():
            status, content = target.stat(), target.read_bytes()
            kept[path] = Kept(status.st_mode & 0o7777, status.st_uid, status.st_gid)
            make_folder((temporary / path).parent, 0o700)
            write_new(temporary / path, content, 0o600)
            texts.append(content.decode(errors="replace"))
        if (new / path).is_file():
            texts.append((new / path).read_text(errors="replace"))
    live = _live(layout, texts)
    body = {"files": {path: asdict(one) for path, one in kept.items()}, "live": live}
    write_new(temporary / "before.json", json.dumps(body, sort_keys=True, indent=1).encode(), 0o600)
    for inner in sorted({p for p in temporary.rglob("*") if p.is_dir()} | {temporary}, reverse=True):
        fsync_folder(inner)
    make_folder(folder.parent, 0o755)
    temporary.rename(folder)
    fsync_folder(folder.parent)
    return live


def put_back(layout: Layout, folder: Path) -> None:
    """Put owned files and live kernel values back as they were; may be repeated."""
    body = json.loads((folder / "before.json").read_text())
    for path, entry in sorted(body["files"].items()):
        kept, target = Kept(**entry), layout.installed(path)
        if kept.mode is None:
            remove_file(target)
            continue
        content = (folder / path).read_bytes()
        make_folder(target.parent, 0o755) if not target.parent.is_dir() else None
        if not _is(target, content, kept):
            replace_file(target, content, kept.mode, kept.uid)
            if os.geteuid() == 0:
                os.chown(target, kept.uid, kept.gid)
    set_live(layout, body["live"])


def set_live(layout: Layout, values: "dict[str, str]") -> None:
    """Write kernel values back, as they were read."""
    for name, value in values.items():
        try:
            (layout.root / name).write_text(f"{value}\n")
        except OSError:
            continue  # the kernel would not take its own value back: nothing could have changed it either


def _is(target: Path, content: bytes, kept: Kept) -> bool:
    if target.is_symlink() or not target.is_file():
        return False
    status = target.stat()
    same = (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (kept.mode, kept.uid, kept.gid)
    return same and target.read_bytes() == content


def kernel_names(texts: "Iterable[str]") -> "set[str]":
    """Return the kernel values that files of sysctl.d and tmpfiles.d speak of, as paths below the root."""
    names = set()
    for text in texts:
        names |= {"proc/sys/" + _slashes(key) for key in LIVE.findall(text)}
        names |= {path.lstrip("/") for path in WRITTEN.findall(text)}
    return names


def _live(layout: Layout, texts: "list[str]") -> "dict[str, str]":
    found = {}
    for name in sorted(kernel_names(texts)):
        try:
            value = (layout.root / name).read_text().strip()
        except OSError:
            continue
        chosen = re.search(r"\[(\w+)\]", value)  # "always [madvise] never"
        found[name] = chosen[1] if chosen else value
    return found


def _slashes(key: str) -> str:
    """Apply the rule of sysctl: the first separator decides which one it is; the other stands for itself."""
    return key if "/" in key.partition(".")[0] else key.translate(str.maketrans("./", "/."))
