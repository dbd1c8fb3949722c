"""Which content an image here has: the digest of its configuration, the same on every kind of engine.

The classic store names an image by that digest. The containerd store names it by its manifest's, or by that
of a list of manifests, which are looked up in containerd's files: their names are the digests of what they
hold, and that is computed, so it does not matter who wrote them or that nobody promises where they lie.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Iterator, Optional

from tempo_infra.on_host import engine
from tempo_infra.on_host.manifest import CONTENT

CONTENT_STORE = "io.containerd.content.v1.content/blobs/sha256"
STORES = (  # of the system's containerd, and of one that dockerd starts
    f"var/lib/containerd/{CONTENT_STORE}",
    f"var/lib/docker/containerd/daemon/{CONTENT_STORE}",
)
MOST_BYTES = 4 * 1024 * 1024  # of a manifest
MOST_MANIFESTS = 100  # of a list


def has(reference: str, wanted: str, *, deadline_s: float, root: Path = Path("/")) -> "Optional[bool]":
    """Whether an image here has that content; None where there is no such image. StepError.

    An image whose configuration can't be found has another one, as far as anybody can tell.
    """
    found = engine.image(reference, deadline_s=deadline_s)
    return None if found is None else wanted in configurations(found, root)


def configurations(image: "dict[str, Any]", root: Path = Path("/")) -> "Iterator[str]":
    """Yield what may be the digest of an image's configuration, by what the engine says of it."""
    named = str(image.get("Id", ""))
    yield named
    for one in _of_its_platform(_blob(named, root), image):
        found = _digest((_blob(one, root) if one else _blob(named, root)).get("config"))
        if found:
            yield found


def _of_its_platform(manifest: "dict[str, Any]", image: "dict[str, Any]") -> "Iterator[str]":
    """Yield the digests of the manifests of a list that are for this machine; "" for a manifest itself."""
    listed = manifest.get("manifests")
    if not isinstance(listed, list):
        yield ""
        return
    for one in listed[:MOST_MANIFESTS]:
        platform = one.get("platform") if isinstance(one, dict) else None
        if not isinstance(platform, dict):
            continue
        alike = all(platform.get(key) == image.get(key.capitalize()) for key in ("os", "architecture"))
        if alike and (found := _digest(one)):
            yield found


def _digest(descriptor: Any) -> str:  # noqa: ANN401 - JSON
    found = str(descriptor.get("digest", "")) if isinstance(descriptor, dict) else ""
    return found if CONTENT.fullmatch(found) else ""


def _blob(digest: str, root: Path) -> "dict[str, Any]":
    """Return the JSON of that digest out of containerd's files; nothing where it is not there."""
    if not CONTENT.fullmatch(digest):
        return {}
    name = digest.partition(":")[2]
    for store in STORES:
        try:
            with (root / store / name).open("rb") as file:
                text = file.read(MOST_BYTES)
            found = json.loads(text) if hashlib.sha256(text).hexdigest() == name else {}
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return {}
