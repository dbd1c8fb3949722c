"""How a run is done, apart from what it does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator has asked for."""

    bootstrap: bool = False
    on_failure: str = "rollback"  # or "hold": a failed host is left as it is, for a person
    lock_wait_s: float = 0.0
    take_over: bool = False  # write over owned files that were edited on the host, and keep them aside
    new_database: bool = False  # make an empty database although there was one: it is given up
    renamed_from: str = ""  # the cluster's name until now
    without: tuple[str, ...] = ()  # hosts that are away: the rest is changed without them
    gone: tuple[str, ...] = ()  # hosts that left the inventory, and are taken out of the cluster


USUAL = Options()
