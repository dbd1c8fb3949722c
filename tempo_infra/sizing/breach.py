"""A budget that does not hold: where, by how much, the arithmetic, and what could be changed."""

from __future__ import annotations

from dataclasses import dataclass

from tempo_infra.errors import InputError

WIDEST = 72  # a longer label pushes only its own amount to the right


@dataclass(frozen=True, slots=True)
class Breach:
    """One budget over on one host."""

    budget: str  # its id: "connections"
    host: str
    over: str  # by how much, with its unit: "37"
    lines: tuple[tuple[str, str], ...]  # the arithmetic: what, how much
    levers: tuple[str, ...] = ()  # what may be changed to satisfy it; see nearest.py
    warning: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.budget, self.host

    def text(self, changes: tuple[str, ...] = ()) -> str:
        """Return it as people read it; `changes` are the nearest ones that satisfy it."""
        width = max((len(label) for label, _ in self.lines if len(label) <= WIDEST), default=0)
        lines = [f'budget "{self.budget}" is over by {self.over} on {self.host}']
        lines += [f"  {label:<{width}}  {amount}".rstrip() for label, amount in self.lines]
        if changes:
            lines.append(f"  nearest change: {'   or   '.join(changes)}")
        return "\n".join(lines)


class OverBudgetError(InputError):
    """Nothing can be sized before this is changed."""

    def __init__(self, breach: Breach) -> None:
        super().__init__(breach.text())
        self.breach = breach
