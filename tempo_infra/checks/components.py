"""What a component's own probe has read on a host, for the judges that the component brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_infra.checks.finding import follow
from tempo_infra.on_host.probes.reading import Reading

if TYPE_CHECKING:
    from tempo_infra.on_host.facts import Facts

NOT_HERE: Reading[dict[str, Any]] = Reading(None, "it does not run on this host", not_wanted=True)


def probed(facts: Facts, component: str) -> Reading[dict[str, Any]]:
    """Return what a component's `read` has found; the reason where there is nothing."""
    return follow(facts.components, lambda found: found.get(component, NOT_HERE))
