"""Whose work a run would undo: who changed hosts last, by which inventory, and what would go back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host.journal import name_of
from tempo_infra.sanitize import cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tempo_infra.deploy.plan import HostPlan
    from tempo_infra.on_host.changed import Change, Changes
    from tempo_infra.on_host.state import HostState

LONGEST_WORDS = 120
MOST_FILES = 4  # that are named
BY_HAND = "rolled back by hand"


@dataclass(frozen=True, slots=True)
class Since:
    """What was done to hosts before, as far as it bears on a run."""

    hosts: tuple[str, ...]
    words: str
    undoes: bool  # somebody else's work may be undone

    @property
    def line(self) -> str:
        return f"{', '.join(self.hosts)}: {self.words}"


def since(
    plans: Iterable[HostPlan], states: Mapping[str, HostState], inventory: str, me: str
) -> tuple[Since, ...]:
    """Return what to know before hosts are changed, the same words once. `inventory`: sha256 of its text."""
    found: dict[tuple[str, bool], list[str]] = {}
    for plan in plans:
        for said in _of_host(plan, states[plan.host].changes, inventory, me) if not plan.is_noop else ():
            found.setdefault(said, []).append(plan.host)
    return tuple(Since(tuple(hosts), *said) for said, hosts in found.items())


def _of_host(plan: HostPlan, changes: Changes, inventory: str, me: str) -> Iterable[tuple[str, bool]]:
    last = changes.last
    if last is None:
        return
    if plan.digest == last.generation:
        return  # what is done is to mend it
    yield f"last changed {_when(last)}{_by(last, inventory)}", _is_anothers(last, inventory, me)
    back = next((one for one in changes.earlier if one.generation == plan.digest), None)
    if back is not None:
        words = f"goes back to generation {name_of(back.generation)} of {_when(back)}"
        yield f"{words}: what was changed since is undone. Is your inventory the newer one?", True
    elif changes.older:
        words = f"{_names(changes.older)} would be as before that change"
        yield f"{words}. Is your inventory the newer one?", True


def _is_anothers(last: Change, inventory: str, me: str) -> bool:
    return last.who != me and last.inventory not in ("", inventory)


def _when(change: Change) -> str:
    when = change.time.replace("T", " ").replace("Z", " UTC")
    return cut(f"{when} by {change.who or 'nobody knows whom'}", LONGEST_WORDS)


def _by(last: Change, inventory: str) -> str:
    if last.how == BY_HAND:
        return f", who rolled it back by hand (run {last.run})"
    if not last.inventory:
        return f" (run {last.run})"
    which = "this inventory" if last.inventory == inventory else "another inventory than yours is now"
    return f" with {which} (run {last.run})"


def _names(files: Iterable[str]) -> str:
    names = sorted(files)
    more = len(names) - MOST_FILES
    return ", ".join(names[:MOST_FILES]) + (f" and {more} more" if more > 0 else "")
