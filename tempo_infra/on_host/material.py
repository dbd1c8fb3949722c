"""Secrets, keys, certificates on the host: one folder a reader, 0700; files 0400, owned by who reads them."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, Iterator, Mapping, Optional

from tempo_infra.on_host import manifest, ownership, untrusted
from tempo_infra.on_host.durable import make_folder, remove_file
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.manifest import Manifest, Material
    from tempo_infra.on_host.steps import reading

LARGEST_BYTES = 65536  # a key with its chain
IN_ARCHIVE = "secrets/"  # before the path of a piece of material


def digest(key: bytes, content: bytes) -> str:
    """Return the digest of a value that says nothing of it to who has no key (decision 27)."""
    return hmac.new(key, content, "sha256").hexdigest()


def passwords(layout: Layout, args: reading.Passwords) -> "dict[str, str]":
    """Return those that lie here, in base64, for an operator who has lost the file of secrets.

    They are asked for by what they are called whatever their content.
    """
    there = {label: value(layout, label) for label in args.labels}
    return {label: base64.b64encode(one).decode() for label, one in there.items() if one is not None}


def value(layout: Layout, label: str) -> Optional[bytes]:
    """Return a secret as the current generation's reader has it; None where there is none.

    By its label alone where that generation lists none: it is of before that, or the login is not in use.
    """
    places = {one.label: one.live(path) for path, one in manifest.current(layout).material.items()}
    path = places.get(label, label)
    data = untrusted.read(layout.secrets, path, LARGEST_BYTES + 1)
    if data is not None and len(data) > LARGEST_BYTES:
        raise StepError(f"{layout.secrets}/{path} is no secret: over {LARGEST_BYTES} bytes")
    return data


def found(layout: Layout, key: bytes, path: str) -> Optional[str]:
    """Return the digest of what lies there; what is no file in its place is none, and is written over."""
    try:
        content = untrusted.read(layout.secrets, path, LARGEST_BYTES + 1)
    except untrusted.UnfitError:
        return None
    return None if content is None else digest(key, content)


def written_s(layout: Layout, path: str) -> float:
    """Return when a piece of it was written, in seconds of the epoch; 0 where there is none."""
    status = untrusted.status(layout.secrets, path)
    return status.st_mtime if status else 0.0


def write(layout: Layout, made: Manifest, files: "Mapping[str, bytes]") -> "list[str]":
    """Write a staged generation's material where it is kept; return what was written, by path.

    A folder that a container reads is written only where it is not as it should be.
    """
    if not made.material:
        return []
    key, written = files.get(manifest.KEY, b""), []
    make_folder(layout.secrets, ownership.SECRETS_MODE)
    for path, one in sorted(made.material.items()):
        content = files.get(f"{IN_ARCHIVE}{path}")
        if content is None or digest(key, content) != one.digest:
            raise StepError(f"{path}: its content differs from the manifest")
        if _put(layout, path, one, content):
            written.append(path)
    ownership.put_right(ownership.of_secrets(layout, *owners(layout, made)), {})
    return written


def switch(layout: Layout, coming: Manifest, going: Manifest) -> None:
    """Have in the folders that stay what a generation has there; also on the way back, and again."""
    wanted = {one.live(path): (path, one) for path, one in coming.material.items() if one.reloaded}
    for place, (path, one) in sorted(wanted.items()):
        content = untrusted.read(layout.secrets, path, LARGEST_BYTES)
        if content is None:
            raise StepError(
                f"{layout.secrets / path} is gone", remedy="tempo-infra provision writes it again"
            )
        _put(layout, place, one, content)
    for path, one in going.material.items():
        if one.reloaded and one.live(path) not in wanted:
            remove_file(layout.secrets / one.live(path))


def _put(layout: Layout, path: str, one: Material, content: bytes) -> bool:
    """Write a file by rename where it is not there like this; whether it was written."""
    place = layout.secrets / path
    make_folder(place.parent, ownership.READER_MODE, one.uid)
    want = ownership.Want(place, ownership.SECRET_MODE, one.uid, needed=True)
    return ownership.put(want, layout.secrets, content)


def owners(layout: Layout, made: Manifest) -> "tuple[dict[str, int], set[str]]":
    """Return whose the folders of a generation's material are, and which files have to be there.

    One of before material was listed says only which folders its containers have.
    """
    if not made.material:
        mounts = (source for one in made.instances.values() for source in one.mounts)
        folders = (
            one.rpartition(f"{layout.secrets}/")[2] for one in mounts if one.startswith(f"{layout.secrets}/")
        )
        return dict.fromkeys(folders, made.users.temporal), set()
    places = {place: one.uid for path, one in made.material.items() for place in (path, one.live(path))}
    return {place.partition("/")[0]: uid for place, uid in places.items()}, set(places)


def lacking(layout: Layout, made: Manifest) -> "list[str]":
    """Return the paths of a generation's material that is not here."""
    return sorted(path for path in made.material if untrusted.status(layout.secrets, path) is None)


def compared(layout: Layout, generation: Path, made: Manifest) -> "Iterator[tuple[Path, bool, bool]]":
    """Yield the files of a generation's material: whether each has its content, and whether it is there.

    Nothing for a generation that has no key: it is from before material was listed.
    """
    if not (generation / manifest.KEY).is_file():
        return
    key = (generation / manifest.KEY).read_bytes()
    for path, one in sorted(made.material.items()):
        for place in sorted({path, one.live(path)}):
            now = found(layout, key, place)
            yield layout.secrets / place, now == one.digest, now is not None
