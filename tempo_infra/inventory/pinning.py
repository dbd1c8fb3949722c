"""Which digests an inventory should hold: of the images that it runs, and of no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.errors import InputError
from tempo_infra.inventory import rules
from tempo_infra.inventory.document import MalformedError, parse
from tempo_infra.inventory.edit import change, edited
from tempo_infra.inventory.load import loads
from tempo_infra.inventory.source import read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.inventory.problems import Loc


def to_pin(path: Path) -> tuple[Cluster, tuple[Loc, ...]]:
    """Return the inventory, and where digests stand of images that it does not run (any more).

    Elsewhere they are an error: what pins nothing looks as if it did. InputError for what else is wrong.
    """
    text = read(path)
    try:
        return loads(text, path), ()
    except InputError as error:
        stale = _stale(text)
        try:
            return loads(edited(text, [(loc, None) for loc in stale]), path), stale
        except InputError:
            raise error from None


def pin(path: Path, digests: Mapping[str, str], stale: tuple[Loc, ...]) -> None:
    """Write these digests into the inventory and take the stale ones out."""
    change(
        path,
        [
            *(((*rules.DIGESTS, name), digest) for name, digest in digests.items()),
            *((loc, None) for loc in stale),
        ],
    )


def _stale(text: str) -> tuple[Loc, ...]:
    try:
        return tuple(rules.stale_digests(parse(text)[0]))
    except MalformedError:
        return ()
