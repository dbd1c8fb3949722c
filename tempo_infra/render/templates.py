"""Where templates lie: ours, and the operator's beside the inventory, which a branch may have brought."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import tempo_infra
from tempo_infra.errors import InputError
from tempo_infra.inventory.problems import did_you_mean
from tempo_infra.inventory.source import check_visible
from tempo_infra.render.files import template_names
from tempo_infra.sanitize import one_line
from tempo_infra.trees import Limits, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tempo_infra.inventory.cluster import Cluster

SOURCE_LIMIT = 256 * 1024  # bytes of one template
LIMITS = Limits(file_bytes=SOURCE_LIMIT, bytes=16 * SOURCE_LIMIT, entries=1000, depth=6)
SUFFIX = ".j2"


@cache
def built_in() -> Path:
    """Return the folder of our templates: package data in a wheel, beside the package in a checkout."""
    package = Path(tempo_infra.__file__).parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def places(name: str) -> tuple[Path, ...]:
    """Return where our template of that name may lie: that of a component's file beside its row, too."""
    kind, _, rest = name.partition("/")
    beside = (Path(tempo_infra.__file__).parent / "components" / rest,) if kind == "services" else ()
    return (built_in() / name, *beside)


def own_templates(cluster: Cluster) -> Path | None:
    """Return the folder beside the inventory, where there is one."""
    own = cluster.path.parent / "templates"
    ours = os.path.realpath(own) == os.path.realpath(
        built_in()
    )  # a link that leads to itself is no error here
    return own if os.path.lexists(own) and not ours else None


def sources(own: Path | None) -> Mapping[str, str]:
    """Return the operator's templates by name. InputError for a folder or a file that is not taken."""
    if own is None:
        return {}
    with Tree.open(own) as tree:
        files = tree.files(LIMITS)
    return {name: _text(own / name, data) for name, data in files.items() if name.endswith(SUFFIX)}


def refuse_unknown(own: Mapping[str, str], folder: Path | None) -> None:
    """InputError for a template that would never be used, as when its name has a mistake."""
    known = template_names()
    for name in own:
        if name not in known:
            hint = did_you_mean(name, known) or f"; known are {', '.join(sorted(known))}"
            raise InputError(f"{one_line(f'{folder}/{name}')}: replaces nothing{hint}")


def _text(path: Path, data: bytes) -> str:
    path = Path(one_line(str(path)))  # for what is said of it
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: can't be read: not UTF-8 text") from error
    check_visible(text, path)  # who reads it, or what it renders in a plan, sees all that there is
    return text
