"""Which line of Temporal an image is, and between which two nobody may go: the servers guard nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Optional, Tuple

from tempo_infra.on_host import manifest
from tempo_infra.on_host.manifest import ManifestError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout

Line = Tuple[int, int]  # major and minor
ROLES = ("history", "matching", "worker", "frontend")
TAG = re.compile(r":([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})(?:@|-|$)", re.ASCII)


def line(image: str) -> Optional[Line]:
    """Return the line of a server's image by its tag; None for a tag that says none."""
    found = TAG.search(image)
    return (int(found[1]), int(found[2])) if found else None


def too_far(layout: Layout, old: str, new: str) -> str:
    """Say why no server may go from one generation straight to the other; nothing for neighbours."""
    for was in sorted(_lines(layout, old)):
        for wanted in sorted(_lines(layout, new)):
            if was[0] != wanted[0] or abs(was[1] - wanted[1]) > 1:
                names = (".".join(map(str, one)) for one in (was, wanted))
                return "from Temporal {} to {}: only one minor version at a time".format(*names)
    return ""


def _lines(layout: Layout, generation: str) -> "set[Line]":
    try:
        instances = manifest.of_generation(layout, generation).instances
        images = [one.image for name, one in instances.items() if name in ROLES]
    except (OSError, ManifestError):
        return set()
    return {found for image in images if (found := line(image))}
