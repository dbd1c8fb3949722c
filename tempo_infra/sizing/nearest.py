"""The nearest change of the inventory that satisfies a budget: searched for, and tried before it is named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from tempo_infra.errors import InputError
from tempo_infra.inventory.cluster import Overrides
from tempo_infra.sizing import budgets, hosts, overrides
from tempo_infra.sizing.breach import OverBudgetError
from tempo_infra.sizing.levers import Change, ladders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tempo_infra.inventory.cluster import Cluster
    from tempo_infra.sizing.breach import Breach
    from tempo_infra.sizing.levers import Ladder
    from tempo_infra.sizing.settings import Settings

    Broken: TypeAlias = Mapping[tuple[str, str], str]  # (budget, host) -> by how much it is over

MOST_NAMED = 3


def judged(cluster: Cluster) -> tuple[Settings | None, tuple[Breach, ...]]:
    """Return the settings and the budgets that they break; no settings where nothing can be sized."""
    try:
        settings = hosts.compute(cluster)
    except OverBudgetError as error:
        return None, (error.breach,)
    return settings, budgets.broken(cluster, settings)


def nearest(cluster: Cluster, breach: Breach) -> tuple[Change, ...]:
    """Return changes that satisfy the budget, the smallest of each kind.

    They leave every other budget as it is; where there is none such, they worsen one that is broken anyway;
    then, they break another one, and say so. At last the operator's own values are taken away.
    """
    before = _broken(cluster)
    leave_the_others: tuple[Callable[[Broken], bool], ...] = (
        lambda after: after.items() <= before.items(),
        lambda after: after.keys() <= before.keys(),
        lambda _: True,
    )
    for leaves in leave_the_others:
        found = _found(cluster, breach, leaves)
        if found:
            return tuple(_with_consequence(change, before) for change in found)
    return _without_overrides(cluster, breach)


def _broken(cluster: Cluster) -> Broken:
    return {found.key: found.over for found in judged(cluster)[1]}


def _found(cluster: Cluster, breach: Breach, leaves: Callable[[Broken], bool]) -> tuple[Change, ...]:
    """Return the first change of each lever, the most likely levers first."""

    def works(candidate: Cluster) -> bool:
        try:
            overrides.check(candidate)
        except InputError:
            return False
        after = _broken(candidate)
        return breach.key not in after and leaves(after)

    found: dict[str, Change] = {}
    for lever in breach.levers:
        tried = (smallest(ladder, works) for ladder in ladders(cluster, cluster.host(breach.host), lever))
        change = next((one for one in tried if one is not None), None)
        if change is not None:
            found.setdefault(change.text, change)
        if len(found) == MOST_NAMED:
            break
    return tuple(found.values())


def smallest(ladder: Ladder, works: Callable[[Cluster], bool]) -> Change | None:
    """Return the change of the fewest steps that works: doubled until one does, then halved back."""
    low, high = 0, min(1, ladder.steps)
    while high > 0 and not works(ladder.at(high).cluster):
        if high == ladder.steps:
            return None
        low, high = high, min(high * 2, ladder.steps)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(ladder.at(middle).cluster) else (middle, high)
    return ladder.at(high) if high > 0 else None


def _with_consequence(change: Change, before: Broken) -> Change:
    more = sorted({budget for budget, _ in _broken(change.cluster).keys() - before.keys()})
    return replace(change, text=f"{change.text} (then {', '.join(more)} is over)") if more else change


def _without_overrides(cluster: Cluster, breach: Breach) -> tuple[Change, ...]:
    plain = replace(
        cluster,
        overrides=Overrides(),
        hosts=tuple(replace(host, overrides=Overrides()) for host in cluster.hosts),
    )
    words = "take the overrides away"
    left = next((found for found in judged(plain)[1] if found.key == breach.key), None)
    if plain == cluster or left is None:
        return () if plain == cluster else (Change(words, plain),)
    return tuple(replace(change, text=f"{words}, and {change.text}") for change in nearest(plain, left))
