"""What a host's journal says, in lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.on_host.journal import name_of
from tempo_infra.on_host.layout import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tempo_infra.on_host.journal import Entry
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


def history_lines(runs: Runs) -> Iterator[str]:
    """Yield one line a run, the newest last: how it ended, or how far it came."""
    by_run: dict[str, list[Entry]] = {}
    for entry in runs.entries:
        by_run.setdefault(entry.run, []).append(entry)
    for run, entries in by_run.items():
        last = next((e for e in reversed(entries) if e.result in ("confirmed", "rolled back", "held")), None)
        end = last or entries[-1]
        words = f"{end.result} {_short(end)}" if last else f"ended at {end.step} ({end.result})"
        who = f"  {end.who}" if end.who else ""
        why = f"  {end.detail}" if end.detail and (last or end.result == "failed") else ""
        yield f"{end.time}  {run}  {words.strip()}{who}{why}"


def _short(end: Entry) -> str:
    return end.generation[:12] or f"generation {ZERO}"
