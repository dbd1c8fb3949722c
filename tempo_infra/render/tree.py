"""Bundles as folders on this machine: written, kept tidy, compared."""

from __future__ import annotations

import difflib
import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tempo_infra.errors import InputError, cause
from tempo_infra.render.bundle import logical

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tempo_infra.render.bundle import Bundle

MANIFEST = "manifest.json"
UNOWNED = "it was not made by `tempo-infra render`; name an empty or a new folder"


def contents(bundle: Bundle) -> dict[str, bytes]:
    """Return every file of a host by its path, with the manifest."""
    return {file.path: file.content for file in bundle.files} | {MANIFEST: bundle.manifest}


def write(bundles: Sequence[Bundle], folder: Path, *, whole: bool) -> None:
    """Write FOLDER/<host>/…; remove what an earlier run wrote and this one does not.

    `whole`: these are all hosts, so folders of others go too. InputError, with nothing changed, when the
    folder holds anything that is not such a host's; also when this machine refuses a file.
    """
    try:
        _write(bundles, folder, whole=whole)
    except OSError as error:
        raise InputError(f"{error.filename or folder} can't be written: {cause(error)}") from error


def _write(bundles: Sequence[Bundle], folder: Path, *, whole: bool) -> None:
    there = _hosts_in(folder)
    for bundle in bundles:
        _write_host(bundle, folder / bundle.host)
    kept = {bundle.host for bundle in bundles}
    for host in there:
        if whole and host not in kept:
            _remove(folder / host, [*_owned(folder / host), MANIFEST])
            if not any((folder / host).iterdir()):
                (folder / host).rmdir()


def difference(bundles: Sequence[Bundle], folder: Path, *, whole: bool) -> str:
    """Return a unified diff from the folder to the bundles; "" when they are the same."""
    wanted = {bundle.host: contents(bundle) for bundle in bundles}
    hosts = set(wanted) | (set(_folders(folder)) if whole else set())
    parts = [_host_difference(host, _read(folder / host), wanted.get(host, {})) for host in sorted(hosts)]
    return "".join(parts)


def _write_host(bundle: Bundle, folder: Path) -> None:
    wanted = contents(bundle)
    stale = [path for path in _owned(folder) if path not in wanted]
    modes = {file.path: file.mode for file in bundle.files}
    for path, content in wanted.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(modes.get(path, 0o644))
    _remove(folder, stale)


def _hosts_in(folder: Path) -> list[str]:
    """Return the hosts that an earlier run wrote here. InputError when there is anything else."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is not a folder", remedy=UNOWNED)
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    for name in names:
        if not (folder / name / MANIFEST).is_file():
            raise InputError(f"{folder} holds {name!r}, nothing was written", remedy=UNOWNED)
    return names


def _owned(folder: Path) -> list[str]:
    """Return the files that the manifest there names; none when there is no manifest of ours."""
    try:
        body = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        paths = list(body["files"])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / MANIFEST} is not ours: {error}", remedy=UNOWNED) from error
    inside = [path for path in paths if not PurePosixPath(path).is_absolute() and ".." not in path.split("/")]
    return [path for path in inside if (folder / path).is_file()]


def _remove(folder: Path, paths: Iterable[str]) -> None:
    for path in paths:
        target = folder / path
        target.unlink(missing_ok=True)
        parent = target.parent
        while parent != folder and not any(parent.iterdir()):
            parent.rmdir()
            parent = parent.parent


def _folders(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _read(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _host_difference(host: str, found: dict[str, bytes], wanted: dict[str, bytes]) -> str:
    """Compare file by file, by names without digests: a service's folder changes its name with its content.

    The manifest follows from the rest, so it is shown only when nothing else differs.
    """
    before, after = _by_logical(found), _by_logical(wanted)
    parts: list[str] = []
    for name in sorted(before.keys() | after.keys(), key=lambda name: (name == MANIFEST, name)):
        if name == MANIFEST and parts:
            break
        old_path, old = before.get(name, ("", b""))
        new_path, new = after.get(name, ("", b""))
        if (old_path, old) != (new_path, new):
            parts.append(_diff(_label("a", host, old_path), _label("b", host, new_path), old, new))
    return "".join(parts)


def _by_logical(files: dict[str, bytes]) -> dict[str, tuple[str, bytes]]:
    """Key files by their logical path; a second folder of the same service keeps its full name."""
    found: dict[str, tuple[str, bytes]] = {}
    for path, content in files.items():
        name = logical(path)
        found[path if name in found else name] = (path, content)
    return found


def _label(side: str, host: str, path: str) -> str:
    return f"{side}/{host}/{path}" if path else "/dev/null"


def _diff(old_name: str, new_name: str, old: bytes, new: bytes) -> str:
    before = old.decode(errors="replace").splitlines(keepends=True)
    after = new.decode(errors="replace").splitlines(keepends=True)
    lines = list(difflib.unified_diff(before, after, old_name, new_name))
    if not lines:
        return f"rename from {old_name}\nrename to {new_name}\n"
    return "".join(
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines
    )
