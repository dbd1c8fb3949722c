"""Which content a generation's images had, so that going back never starts another one under the same name.

A reference with a digest says it itself; of an image that the operator brings, the manifest does. One without
is a name: what it stands for here, and in the registry, may have changed since. So the ids that a generation
ran with are kept beside it when it is confirmed.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tempo_infra.on_host import engine, manifest
from tempo_infra.on_host.arriving import prove
from tempo_infra.on_host.containers import PULL_S, pull
from tempo_infra.on_host.durable import replace_file
from tempo_infra.on_host.shell import StepError, must
from tempo_infra.on_host.steps import change

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout

ASK_S, TAG_S = 20.0, 20.0
ID = re.compile(r"sha256:[0-9a-f]{64}")
REMEDY = "bring that image back (`docker load`), or go forward with pinned ones: tempo-infra images pin"
SHOWN = 19  # characters of an id in messages: its kind and twelve digits


def remember(layout: Layout, generation: str) -> None:
    """Keep the ids of the images that a generation's containers run from, at its first confirmation.

    StepError, OSError; then the next change does it, before anything is switched.
    """
    wanted = _wanted(_manifest(layout, generation))
    if not wanted or _remembered(layout, generation):
        return
    found = engine.containers(stopped=True, deadline_s=ASK_S)
    ids = {one["Config"]["Image"]: one["Image"] for one in found if one["Config"]["Image"] in wanted}
    replace_file(_record(layout, generation), (json.dumps(ids, sort_keys=True) + "\n").encode(), 0o644)


def have(layout: Layout, generation: str, *, kept: bool = False) -> None:
    """See that a generation's images are here, with the content that they had; bring back what was pruned.

    `kept`: it was confirmed once, so there is a content that it had. StepError when an image is gone and its
    name stands for another content now, or nobody knows for which it stood.
    """
    found = _manifest(layout, generation)
    prove(layout, found.contents)
    known = _remembered(layout, generation)
    for reference in sorted(_wanted(found) - found.contents.keys()):
        wanted = "" if "@" in reference else known.get(reference, "")  # Docker itself compares a digest
        here = engine.image_id(reference, deadline_s=ASK_S)
        if not here and kept and not wanted and "@" not in reference:
            raise StepError(
                f"{reference} is gone from this host, and nobody knows which content it was", remedy=REMEDY
            )
        if not here or wanted not in ("", here):
            _bring_back(reference, wanted)


def _bring_back(reference: str, wanted: str) -> None:
    if wanted and engine.image_id(wanted, deadline_s=ASK_S):
        must(
            ["docker", "tag", wanted, reference], deadline_s=TAG_S
        )  # the name has moved on, the content is here
        return
    pull(change.Pull([reference], PULL_S))
    now = engine.image_id(reference, deadline_s=ASK_S)
    if wanted not in ("", now):
        raise StepError(
            f"{reference} is another content now: {now[:SHOWN]}, this generation ran {wanted[:SHOWN]}, "
            "which is gone from this host",
            remedy=REMEDY,
        )


def _wanted(found: manifest.Manifest) -> "set[str]":
    """Return the references of the services that a generation keeps running."""
    return {found.instances[name].image for name in found.kept}


def _manifest(layout: Layout, generation: str) -> manifest.Manifest:
    try:
        return manifest.of_generation(layout, generation)
    except FileNotFoundError:
        raise StepError(
            f"generation {generation[:12]} is gone from {layout.generations}",
            remedy="nothing was switched; provision with the inventory that it was made from brings it back",
        ) from None


def _record(layout: Layout, generation: str) -> Path:
    return layout.generations / generation / "images.json"


def _remembered(layout: Layout, generation: str) -> "dict[str, str]":
    """Return reference -> id; nothing for a generation that was confirmed before ids were kept."""
    try:
        found = json.loads(_record(layout, generation).read_text())
        return {name: id_ for name, id_ in found.items() if ID.fullmatch(id_)}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise StepError(f"{_record(layout, generation)} can't be read: {error}") from error
