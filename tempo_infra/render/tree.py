"""Bundles as folders on this machine, which a branch may have brought: written, kept tidy, compared."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, TypeAlias

from tempo_infra.errors import InputError
from tempo_infra.on_host import manifest
from tempo_infra.on_host.manifest import ManifestError
from tempo_infra.render.bundle import logical
from tempo_infra.sanitize import one_line
from tempo_infra.trees import Limits, Tree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tempo_infra.render.bundle import Bundle

Files: TypeAlias = dict[str, bytes]  # by path

MANIFEST = manifest.NAME
UNOWNED = "it was not made by `render`; name an empty or a new folder"
LIMITS = Limits(file_bytes=4 << 20, bytes=256 << 20, entries=50_000)  # 600 hosts take 36 MiB in 15,000
MOST_LINES = 5000  # of two files, to be compared line by line: a few of them take a second


def contents(bundle: Bundle) -> Files:
    """Return every file of a host by its path, with the manifest."""
    return {file.path: file.content for file in bundle.files} | {MANIFEST: bundle.manifest.text}


def write(bundles: Sequence[Bundle], folder: Path, *, whole: bool) -> None:
    """Write FOLDER/<host>/…; remove what an earlier run wrote and this one does not.

    `whole`: these are all hosts, so folders of others go too. InputError, with nothing changed, when the
    folder holds anything that is not such a host's; also when this machine refuses a file.
    """
    with Tree.open(folder, make=True) as tree:
        there = _hosts_in(tree)
        owned = {host: _owned(folder / host, files) for host, files in there.items()}
        for bundle in bundles:
            for path in contents(bundle):
                tree.refuse(f"{bundle.host}/{path}")
        for bundle in bundles:
            wanted = contents(bundle)
            modes = {file.path: file.mode for file in bundle.files}
            for path, content in wanted.items():
                tree.write(f"{bundle.host}/{path}", content, modes.get(path, 0o644))
            for path in owned.pop(bundle.host, set()) - wanted.keys():
                tree.remove(f"{bundle.host}/{path}")
        for host, paths in owned.items() if whole else ():
            for path in paths:
                tree.remove(f"{host}/{path}")


def difference(bundles: Sequence[Bundle], folder: Path, *, whole: bool) -> str:
    """Return a unified diff from the folder to the bundles; "" when they are the same."""
    wanted = {bundle.host: contents(bundle) for bundle in bundles}
    there = _read(folder)
    hosts = set(wanted) | (set(there) if whole else set())
    return "".join(
        _host_difference(host, there.get(host, {}), wanted.get(host, {})) for host in sorted(hosts)
    )


def _read(folder: Path) -> dict[str, Files]:
    try:
        with Tree.open(folder) as tree:
            return _by_host(tree.files(LIMITS))
    except FileNotFoundError:
        return {}


def _by_host(files: Files) -> dict[str, Files]:
    found: dict[str, Files] = {}
    for path, content in files.items():
        host, _, rest = path.partition("/")
        if rest:
            found.setdefault(host, {})[rest] = content
    return found


def _hosts_in(tree: Tree) -> dict[str, Files]:
    """Return the files of the hosts that an earlier run wrote. InputError when there is anything else."""
    names = tree.names()
    there = _by_host(tree.files(LIMITS)) if all(names.values()) else {}
    for name in names:
        if MANIFEST not in there.get(name, {}):
            raise InputError(f"{tree.path} holds {name!r}, nothing was written", remedy=UNOWNED)
    return there


def _owned(folder: Path, files: Files) -> set[str]:
    """Return the files that are there and that the manifest there names, and itself."""
    try:
        return {MANIFEST, *manifest.parse(files[MANIFEST]).files} & files.keys()
    except (KeyError, ManifestError) as error:
        raise InputError(one_line(f"{folder / MANIFEST} is not ours: {error}"), remedy=UNOWNED) from error


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
    return one_line(f"{side}/{host}/{path}") if path else "/dev/null"


def _diff(old_name: str, new_name: str, old: bytes, new: bytes) -> str:
    before = old.decode(errors="replace").splitlines(keepends=True)
    after = new.decode(errors="replace").splitlines(keepends=True)
    if len(before) + len(after) > MOST_LINES:
        return (
            f"--- {old_name}\n+++ {new_name}\n({len(before)} and {len(after)} lines: too many to compare)\n"
        )
    lines = list(difflib.unified_diff(before, after, old_name, new_name))
    if not lines:
        return f"rename from {old_name}\nrename to {new_name}\n"
    return "".join(
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines
    )
