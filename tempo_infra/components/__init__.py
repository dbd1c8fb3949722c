"""What each service is, in one table, and how it is asked. Nothing here knows a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.components.table import COMPONENTS
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tempo_infra.components.component import Component

__all__ = ["COMPONENTS", "of", "of_roles", "port"]

_BY_NAME = {one.name: one for one in COMPONENTS}


def of(name: str) -> Component:
    """Return the component of that name; InputError for a name that stands in no row."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise InputError(
            f"no component {name!r}",
            remedy=f"known are {', '.join(_BY_NAME)}: is this version too old for it?",
        ) from None


def of_roles(roles: Iterable[str]) -> tuple[Component, ...]:
    """Return what a host of these roles carries, in the table's order."""
    wanted = frozenset(roles)
    return tuple(one for one in COMPONENTS if one.role in wanted)


def port(name: str, which: str) -> int:
    """Return the number of a component's port: `port("frontend", "grpc")`."""
    return of(name).at(which)
