"""The generation that this host is on, and whether its files still are what was put there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - a bare host's Python has no need to hide it
from typing import Iterable

from tempo_infra.on_host import manifest, material, ownership
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.probes.reading import Unread, read_file

SAME, CHANGED, MISSING = "same", "changed", "missing"
MAX_FILES = 200


@dataclass(frozen=True, slots=True)
class OwnedFile:
    path: str  # where it lies on the host
    is_now: str  # "same", "changed", "missing", what is wrong with it, or why it can't be read
    wanted: str = ""  # its mode, owner or kind, where that is what is wrong


@dataclass(frozen=True, slots=True)
class Planned:
    """A service of the generation."""

    service: str
    image: str
    job: bool
    folder: str  # of its files: "/var/lib/tempo-infra/services/history-3f2a…"; "" when it has none
    content: str = ""  # of an image that was brought here, the digest of its configuration


@dataclass(frozen=True, slots=True)
class Generation:
    digest: str
    manifest_is_its_own: bool  # the manifest's hash is the generation's name
    files: tuple[OwnedFile, ...]
    services: tuple[Planned, ...]


def parse(text: str, layout: Layout) -> "tuple[manifest.Manifest, tuple[Planned, ...]]":
    """Parse a manifest: as it is, and its services."""
    try:
        found = manifest.parse(text)
    except manifest.ManifestError as error:
        raise Unread(str(error)) from error
    services = tuple(
        Planned(name, one.image, one.job, _folder(name, found.files, layout), one.content)
        for name, one in sorted(found.instances.items())
    )
    return found, services


def _folder(service: str, paths: "Iterable[str]", layout: Layout) -> str:
    for path in paths:
        parts = path.split("/")
        if parts[0] == "services" and parts[1].rpartition("-")[0] == service:
            return str(layout.services / parts[1])
    return ""


def _where(path: str, layout: Layout) -> Path:
    if path.startswith("etc/"):
        return layout.installed(path)
    return ownership.where(layout, path, layout.current)


def _is_now(path: Path, wanted: str) -> str:
    try:
        content = read_file(str(path))
    except FileNotFoundError:
        return MISSING
    except (OSError, Unread) as error:
        return str(error)[:200]
    return SAME if hashlib.sha256(content.encode()).hexdigest() == wanted else CHANGED


def read(layout: "Layout | None" = None) -> Generation:
    """Compare the current generation's manifest with what lies on the disk."""
    layout = layout or Layout()
    if not layout.current.is_symlink():
        raise Unread("nothing was provisioned here", not_wanted=True)
    generation = layout.current.resolve()
    digest = generation.name
    text = read_file(str(layout.current / manifest.NAME))
    made, services = parse(text, layout)
    shipped = made.files
    if len(shipped) > MAX_FILES:
        raise Unread(f"the manifest names {len(shipped)} files; at most {MAX_FILES} are compared")
    files = tuple(
        OwnedFile(str(path), _is_now(path, wanted))
        for path, wanted in sorted((_where(name, layout), one.sha256) for name, one in shipped.items())
    )
    secrets = tuple(
        OwnedFile(str(path), SAME if right else CHANGED if there else MISSING)
        for path, right, there in material.compared(layout, generation, made)
    )
    wanted = ownership.of_secrets(layout, *material.owners(layout, made))
    wants = [*ownership.of_generation(layout, shipped, generation), *wanted]
    bad = tuple(OwnedFile(one.path, one.found, one.wanted) for one in ownership.wrong(layout, wants))
    own = hashlib.sha256(text.encode()).hexdigest() == digest
    return Generation(digest, own, (*files, *secrets, *bad[:MAX_FILES]), services)
