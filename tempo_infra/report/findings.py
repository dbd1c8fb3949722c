"""The check report for people: grouped by host, passes folded, every failure with what to do.

Columns are as wide as their texts, up to a share of the terminal; what doesn't fit wraps and is never cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from tempo_infra.checks.finding import Finding, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, RenderableType

    from tempo_infra.report.result import CheckRun, HostResult

SYMBOLS = {
    Outcome.PASS: ("✓", "ok", "green"),
    Outcome.WARN: ("!", "!", "yellow"),
    Outcome.FAIL: ("✗", "X", "bold red"),
    Outcome.UNKNOWN: ("?", "?", "magenta"),
    Outcome.SKIP: ("-", "-", "dim"),
}
WORDS = {  # in the order of the last line
    Outcome.FAIL: "failed",
    Outcome.WARN: "warning",
    Outcome.UNKNOWN: "unknown",
    Outcome.SKIP: "skipped",
    Outcome.PASS: "passed",
}
ASCII = str.maketrans(
    {"≤": "<=", "≥": ">=", "→": "->", "·": "-", "…": "...", "µ": "u", "–": "-", "\N{NO-BREAK SPACE}": " "}
)
FOUND_SHARE, WANTED_SHARE = 0.34, 0.26  # of the terminal's width


@dataclass(frozen=True, slots=True)
class Style:
    verbose: bool = False  # passes and skips one by one
    quiet: bool = False  # only what failed
    ascii: bool = False

    def text(self, words: str) -> str:
        """Return the words as they may be shown; what ASCII lacks becomes a question mark."""
        if not self.ascii:
            return words
        return words.translate(ASCII).encode("ascii", "replace").decode()

    def symbol(self, outcome: Outcome) -> Text:
        fancy, plain, colour = SYMBOLS[outcome]
        return Text(plain if self.ascii else fancy, style=colour)


def print_run(console: Console, run: CheckRun, style: Style) -> None:
    """Print all hosts and the last line, which is what people paste into a chat."""
    for host in run.hosts:
        shown = _shown(host, style)
        if style.quiet and not shown and not host.error:
            continue
        for part in _host(host, shown, style, console.width):
            console.print(part)
        console.print()
    console.print(_last_line(run, style))


def _shown(host: HostResult, style: Style) -> list[Finding]:
    if style.verbose:
        return list(host.findings)
    hidden = {Outcome.PASS, Outcome.SKIP} | ({Outcome.WARN} if style.quiet else set())
    return [finding for finding in host.findings if finding.outcome not in hidden]


def _host(
    host: HostResult, shown: Sequence[Finding], style: Style, width: int
) -> Iterable[RenderableType]:
    yield _headline(host, style, width)
    if host.error:
        yield _row(style.symbol(Outcome.UNKNOWN), Text(style.text(host.error)))
        if host.remedy:
            yield _indented(style.text(f"→ {host.remedy}"), 6, "cyan")
        return
    widths = _widths(shown, style, width)
    for finding in shown:
        yield from _finding(finding, widths, style)
    if folded := _folded(host.findings, shown):
        yield _indented(style.text(f"… {folded} (-v shows them)"), 2, "dim")
    if host.verdict:
        yield _indented(style.text(f"verdict: {host.verdict}"), 2, "bold")


def _headline(host: HostResult, style: Style, width: int) -> Text:
    """Name, class and address at the left, the seconds at the right."""
    parts = dict.fromkeys(part for part in (host.name, host.class_name, host.address) if part)
    left = style.text(" · ".join(parts))
    right = f"{host.seconds:.1f} s" if host.seconds else ""
    line = Text(left, style="bold")
    line.append(right.rjust(max(len(right) + 1, width - cell_len(left))) if right else "", style="dim")
    return line


def _widths(shown: Sequence[Finding], style: Style, width: int) -> tuple[int, int, int]:
    """Return the widths of id, found and wanted."""

    def longest(texts: Iterable[str]) -> int:
        return max((cell_len(style.text(text)) for text in texts), default=0)

    return (
        longest(finding.id for finding in shown),
        min(longest(_found(finding) for finding in shown), int(width * FOUND_SHARE)),
        min(longest(finding.wanted for finding in shown), int(width * WANTED_SHARE)),
    )


def _found(finding: Finding) -> str:
    return f"{finding.subject}: {finding.found}" if finding.subject else finding.found


def _finding(finding: Finding, widths: tuple[int, int, int], style: Style) -> Iterable[RenderableType]:
    identifier, found, wanted = widths
    line = Table.grid(padding=(0, 2, 0, 0))
    for column in (3, identifier, found, wanted):
        line.add_column(width=column, overflow="fold")
    symbol = Text("  ").append_text(style.symbol(finding.outcome))
    line.add_row(
        symbol,
        Text(finding.id),
        Text(style.text(_found(finding))),
        Text(style.text(finding.wanted), style="dim"),
    )
    yield line
    if finding.note:
        yield _indented(style.text(finding.note), 6, "dim")
    if finding.remedy:
        yield _indented(style.text(f"→ {finding.remedy}"), 6, "cyan")


def _row(symbol: Text, words: Text) -> Table:
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=3)
    line.add_column(overflow="fold")
    line.add_row(Text("  ").append_text(symbol), words)
    return line


def _indented(words: str, by: int, colour: str) -> Table:
    line = Table.grid()
    line.add_column(width=by)
    line.add_column(overflow="fold")
    line.add_row("", Text(words, style=colour))
    return line


def _folded(findings: Sequence[Finding], shown: Sequence[Finding]) -> str:
    """Say what is not shown: "19 more passed, 2 skipped"."""
    visible = {id(finding) for finding in shown}
    hidden = [finding.outcome for finding in findings if id(finding) not in visible]
    parts = [
        f"{hidden.count(outcome)}{' more' if outcome is Outcome.PASS and shown else ''} {_word(outcome, hidden.count(outcome))}"
        for outcome in (Outcome.PASS, Outcome.SKIP, Outcome.WARN)
        if outcome in hidden
    ]
    return ", ".join(parts)


def _word(outcome: Outcome, number: int) -> str:
    return "warnings" if outcome is Outcome.WARN and number != 1 else WORDS[outcome]


def _last_line(run: CheckRun, style: Style) -> Text:
    line = Text()
    for outcome, number in ((outcome, run.totals[outcome]) for outcome in WORDS):
        if number or outcome is Outcome.PASS:
            line.append(style.text(" · ") if line.plain else "")
            line.append(f"{number} {_word(outcome, number)}", style=SYMBOLS[outcome][2])
    return line.append(f"   exit {run.exit_code}", style="bold")
