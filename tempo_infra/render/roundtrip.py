"""What was rendered is read again and compared with what went in, so that no value can be more than one."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tempo_infra.errors import InputError
from tempo_infra.render.parse import READERS, refuse_ambiguous

if TYPE_CHECKING:
    from tempo_infra.render.engine import Rendered

TYPED = frozenset({"yaml", "compose"})
FILTERS = {reader: {reader, "comment"} | ({"pgname"} if reader == "pgconf" else set()) for reader in READERS}
"""The filters of each format: what quotes for one may be code in another."""


def check(rendered: Rendered, reader: str) -> object:
    """Return the file as its reader sees it. InputError when that is not what the template was given."""
    foreign = sorted({printed.filter for printed in rendered.printed} - FILTERS[reader])
    if foreign:
        raise InputError(
            f"{rendered.template}: what it renders is quoted for another format: {', '.join(foreign)}",
            remedy=f"here: {', '.join(sorted(FILTERS[reader]))}",
        )
    try:
        if rendered.own and reader in TYPED:
            refuse_ambiguous(rendered.text)
        found = _read(rendered.text, reader)
        meant = rendered.meant(_read(rendered.form, reader))
    except (ValueError, TypeError) as error:
        raise InputError(f"{rendered.template}: what it renders can't be read: {error}") from error
    if reader not in TYPED:
        meant = _as_text(meant)
    if found != meant:
        raise InputError(
            f"{rendered.template}: what it renders reads back differently: {_difference(meant, found)}",
            remedy="print each value alone, with the quoting filter of this format",
        )
    return found


@lru_cache(maxsize=256)
def _read(text: str, reader: str) -> object:
    """Return what a text says, for nobody to change: hosts have the same forms, and often the same files."""
    return READERS[reader](text)


def _as_text(value: object) -> object:
    """Write as text what went in, for formats without types."""
    if isinstance(value, dict):
        return {_as_text(key): _as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _difference(meant: object, found: object, path: str = "") -> str:
    if isinstance(meant, dict) and isinstance(found, dict):
        for key in [*meant, *(key for key in found if key not in meant)]:
            if meant.get(key) != found.get(key) or (key in meant) != (key in found):
                return _difference(meant.get(key), found.get(key), f"{path}.{key}")
    if isinstance(meant, list) and isinstance(found, list) and len(meant) == len(found):
        for index, (left, right) in enumerate(zip(meant, found, strict=True)):
            if left != right:
                return _difference(left, right, f"{path}[{index}]")
    return f"{path.lstrip('.') or 'the file'}: {found!r} instead of {meant!r}"
