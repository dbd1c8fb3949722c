"""What a host's journal says, in lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.on_host.journal import name_of
from tempo_infra.on_host.layout import ZERO

if TYPE_CHECKING:
    from tempo_infra.on_host.runs import Runs


def status_line(runs: Runs) -> str:
    """Return one line: the generation, and what is not decided about it."""
    now = runs.current[:12] if runs.current else _without_a_generation(runs)
    if runs.open_run:
        return f"{now}  ! run {runs.open_run} is not over; it decides by itself in {runs.decides_in_s:.0f} s"
    if runs.phase == "held":
        return f"{now}  ! held after a failure, not confirmed; `tempo-infra provision` goes on from there"
    if runs.phase == "failed":
        return f"{now}  ✗ its rollback failed: a person is needed (`tempo-infra history` says why)"
    if runs.current is None:
        return now
    database = f"  database {runs.database}" if runs.database else ""
    return f"{now}  {'confirmed' if runs.confirmed == runs.current else '! not confirmed'}{database}"


def _without_a_generation(runs: Runs) -> str:
    """Tell a host that went back to before its first provision from one that never had any."""
    decided = [one.generation for one in runs.entries if one.result in ("confirmed", "rolled back")]
    if decided and decided[-1]:
        return f"no generation is current, and the journal says {name_of(decided[-1])}"
    return name_of(ZERO) if decided else "nothing provisioned"
