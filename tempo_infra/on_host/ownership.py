"""Who may read and change our files: owner and mode of each, and of the folders above, as they should be.

A file with the right content and another mode is as much drift as an edited one: readable by others, it gives
a password away; not readable by its container, it ends that with its next start.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Iterable, Iterator, Mapping, Optional

from tempo_infra.on_host import manifest, untrusted
from tempo_infra.on_host.durable import replace_file
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.manifest import Entry

MODE, MISSING, KIND, ABOVE, IMMUTABLE = "mode", "missing", "kind", "above", "immutable"
CONTENT = "content"  # of a secret, whose text is shown nowhere
GETFLAGS, IMMUTABLE_FLAG, APPEND_FLAG = 0x80086601, 0x10, 0x20  # linux/fs.h: FS_IOC_GETFLAGS, FS_*_FL
STATE_MODE, SECRETS_MODE, READER_MODE, SECRET_MODE = 0o755, 0o711, 0o700, 0o400


@dataclass(frozen=True)
class Wrong:
    """One path that is not as it should be."""

    path: str  # absolute
    found: str  # "mode 0444", "owner 0:0", "missing", "a link"
    wanted: str  # "0400"
    kind: str

    def __str__(self) -> str:
        return f"{self.path}: {self.found}, should be {self.wanted}"


@dataclass(frozen=True)
class Want:
    path: Path
    mode: int
    uid: Optional[int]  # the group is the same number; None: as the folder's
    is_folder: bool = False
    needed: bool = False  # it is wrong when it is missing


def where(layout: Layout, path: str, generation: Path) -> Path:
    """Return where a file of a manifest lies: that in the generation itself for `etc/`."""
    return (layout.state if path.startswith("services/") else generation) / path


def of_generation(layout: Layout, files: Mapping[str, Entry], generation: Path) -> Iterator[Want]:
    """Yield what a generation holds, with its folders; what is missing of it is told by its content."""
    folders = {layout.state, layout.generations, layout.services, generation}
    wanted = [Want(generation / manifest.NAME, 0o644, 0), Want(generation / manifest.KEY, SECRET_MODE, 0)]
    for path, entry in files.items():
        place = where(layout, path, generation)
        wanted.append(Want(place, entry.mode, entry.uid))
        root = layout.services if path.startswith("services/") else generation
        folders |= {one for one in place.parents if root in one.parents}
        if path.startswith("etc/"):
            wanted.append(Want(layout.installed(path), entry.mode, 0))
    yield from (Want(one, STATE_MODE, 0, is_folder=True) for one in sorted(folders))
    yield from wanted


def of_secrets(layout: Layout, uids: Mapping[str, int], needed: Iterable[str] = ()) -> Iterator[Want]:
    """Yield the passwords' folders and files that are here, and those (reader/file) that have to be.

    Of known readers, where any is known: what somebody else has put beside is nobody's.
    """
    names = set(needed)
    for reader in (one for one in _inside(layout.secrets, "") if not uids or one in uids):
        names |= {f"{reader}/{file}" for file in _inside(layout.secrets, reader)}
    if names:
        yield Want(layout.secrets, SECRETS_MODE, 0, is_folder=True)
    for reader in sorted({name.partition("/")[0] for name in names}):
        yield Want(layout.secrets / reader, READER_MODE, uids.get(reader), is_folder=True)
    for name in sorted(names):
        reader = name.partition("/")[0]
        yield Want(layout.secrets / name, SECRET_MODE, uids.get(reader), needed=name in needed)


def _inside(root: Path, name: str) -> "list[str]":
    """Return what lies in a folder, hidden names apart; nothing where there is none, or it is a link."""
    try:
        return [one for one in untrusted.names(root, name) if not one.startswith(".")]
    except (OSError, StepError):
        return []


def wrong(layout: Layout, wanted: Iterable[Want]) -> "list[Wrong]":
    """Compare what should be with what is; in folders above that are not ours, nobody else may write."""
    wants = list(wanted)
    found = [one for want in wants for one in wrong_with(want)]
    above = {parent for want in wants for parent in want.path.parents} - {want.path for want in wants}
    inside = {layout.root, *(one for one in above if layout.root in one.parents)}
    return [*found, *(one for folder in sorted(inside) for one in _open_to_others(folder))]


def wrong_with(want: Want) -> "Iterator[Wrong]":
    """Compare one path with what it should be."""
    path = str(want.path)
    try:
        status = want.path.lstat()
    except FileNotFoundError:
        if want.needed:
            yield Wrong(path, "missing", f"there, {want.mode:04o}", MISSING)
        return
    except OSError:
        return  # whoever reads the content says why
    if want.is_folder != stat.S_ISDIR(status.st_mode) or not (want.is_folder or stat.S_ISREG(status.st_mode)):
        what = "a folder" if want.is_folder else "a file"
        yield Wrong(path, _kind(status.st_mode), what, KIND)
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode != want.mode:
        yield Wrong(path, f"mode {mode:04o}", f"{want.mode:04o}", MODE)
    uid = _owner(want)
    if os.geteuid() == 0 and uid is not None and (status.st_uid, status.st_gid) != (uid, uid):
        yield Wrong(path, f"owner {status.st_uid}:{status.st_gid}", f"{uid}:{uid}", MODE)
    if immutable(want.path):
        yield Wrong(path, "immutable", f"changeable: chattr -ia {path}", IMMUTABLE)


def _owner(want: Want) -> Optional[int]:
    if want.uid is not None or want.is_folder:
        return want.uid
    with contextlib.suppress(OSError):
        return want.path.parent.lstat().st_uid
    return None


def _kind(mode: int) -> str:
    names = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFREG: "a file", stat.S_IFIFO: "a pipe"}
    return names.get(stat.S_IFMT(mode), "neither file nor folder")


def _open_to_others(folder: Path) -> "Iterator[Wrong]":
    """Tell a folder above ours in which others may put something in the place of what is ours."""
    try:
        status = folder.stat()
    except OSError:
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        yield Wrong(str(folder), f"mode {mode:04o}", "not writable by everybody", ABOVE)
    elif status.st_uid != 0 and os.geteuid() == 0:
        yield Wrong(str(folder), f"owner {status.st_uid}", "root's", ABOVE)


def immutable(path: Path) -> bool:
    """Whether a file or folder has the attribute that keeps root itself from changing it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        flags = int.from_bytes(fcntl.ioctl(descriptor, GETFLAGS, bytes(8))[:4], "little")
        return bool(flags & (IMMUTABLE_FLAG | APPEND_FLAG))
    except OSError:  # a file system without attributes
        return False
    finally:
        os.close(descriptor)


def put(want: Want, root: Path, content: bytes) -> bool:
    """Write a file by rename where it is not there just like this; whether it was written.

    It is looked for below `root`, through no link.
    """
    if not any(wrong_with(want)) and untrusted.holds(root, str(want.path.relative_to(root)), content):
        return False
    replace_file(want.path, content, want.mode, want.uid or 0)
    return True


def put_right(wants: "Iterable[Want]", contents: "Mapping[Path, bytes]") -> "list[str]":
    """Set owners and modes right; rewrite what is no plain file. Returns what was changed.

    StepError for what can't be set: a folder's place that something else has, an attribute.
    """
    done = []
    for want in wants:
        problems = list(wrong_with(want))
        kinds = {one.kind for one in problems}
        if not kinds & {MODE, KIND}:
            continue
        if KIND in kinds and want.path not in contents:
            raise StepError(str(problems[0]), remedy="look at it on the host and move it away")
        try:
            if KIND in kinds:
                replace_file(want.path, contents[want.path], want.mode, want.uid or 0)
            else:
                _set(want)
        except PermissionError as error:
            raise StepError(
                f"{want.path} can't be changed: {error.strerror}; is it immutable?",
                remedy=f"`lsattr -d {want.path}` shows it, `chattr -ia {want.path}` ends it",
            ) from error
        done += [str(one) for one in problems]
    return done


def _set(want: Want) -> None:
    """By descriptor: what lies there may be another thing by now."""
    kind = os.O_DIRECTORY if want.is_folder else os.O_NONBLOCK
    descriptor = os.open(want.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind)
    try:
        uid, status = _owner(want), os.fstat(descriptor)
        if want.is_folder != stat.S_ISDIR(status.st_mode) or (status.st_nlink > 1 and not want.is_folder):
            raise StepError(f"{want.path} is another thing by now", remedy="look at it on the host")
        if os.geteuid() == 0 and uid is not None:
            os.fchown(descriptor, uid, uid)
        os.fchmod(descriptor, want.mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
