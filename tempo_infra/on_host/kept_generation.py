"""A generation that lies on this host, read before the host goes back to it; nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tempo_infra.on_host import manifest, ownership
from tempo_infra.on_host.arming import must_be_able
from tempo_infra.on_host.journal import in_force
from tempo_infra.on_host.layout import ZERO
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout

DAMAGED = "nothing was switched; go back to another one, or forward: tempo-infra provision"
MOST_CHARACTERS = 512 * 1024  # of all files together: as JSON six bytes each, in an answer of 4 MiB


@dataclass(frozen=True)
class KeptGeneration:
    """Its manifest, and the text of each of its files by path."""

    manifest: str
    texts: "dict[str, str]" = field(default_factory=dict)


def read(layout: Layout, digest: str) -> KeptGeneration:
    """Return what a generation holds. StepError when it is gone, damaged, or could not run here any more."""
    current = in_force(layout)
    folder = layout.generations / digest
    if digest != ZERO and not (folder / manifest.NAME).is_file():
        raise StepError(
            f"generation {digest[:12]} is gone from {layout.generations}",
            remedy="nothing was switched; the last ones are kept: tempo-infra history lists them",
        )
    try:
        must_be_able(layout, digest, current)
        return KeptGeneration("") if digest == ZERO else _texts(layout, folder)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise StepError(f"generation {digest[:12]} can't be read: {error}", remedy=DAMAGED) from error


def _texts(layout: Layout, folder: Path) -> KeptGeneration:
    """Read them where they lie: what is reloaded while a service runs is kept beside, in the generation."""
    text = (folder / manifest.NAME).read_text(errors="replace")
    texts, left = {}, MOST_CHARACTERS
    for path, one in manifest.parse(text).files.items():
        own = folder / path if one.live else ownership.where(layout, path, folder)
        texts[path] = own.read_text(errors="replace")
        left -= len(texts[path])
        if left < 0:
            raise StepError(f"the files of generation {folder.name[:12]} are too long to be shown")
    return KeptGeneration(text, texts)
