"""The check report for people: grouped by host, passes folded, every failure with what to do.

Columns are as wide as their texts, up to a share of the terminal; what doesn't fit wraps and is never cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from tempo_infra.checks.finding import Finding, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

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
    {"≤": "<=", "≥": ">=", "→": "->", "·": "-", "…": "...", "µ": "u", "\N{NO-BREAK SPACE}": " "}
)
WANTED_SHARE = 0.4  # of what is left beside symbol and id; the rest is for what was found
LEFT = 6  # where notes and remedies begin
GAP = 2


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
    page = _Page(console, style)
    for host in run.hosts:
        page.host(host, [one for one in host.findings if one.outcome not in _hidden(run, style)])
    page.diagnosis(run)
    page.changes(run)
    if not style.quiet or run.exit_code:
        console.print(_last_line(run, style), soft_wrap=True)


def _hidden(run: CheckRun, style: Style) -> set[Outcome]:
    if style.verbose:
        return set()
    decided = run.exit_code and not (run.totals[Outcome.FAIL] or run.totals[Outcome.UNKNOWN])  # --strict
    return {Outcome.PASS, Outcome.SKIP} | ({Outcome.WARN} if style.quiet and not decided else set())


class _Page:
    """Lines on one console, in one style."""

    def __init__(self, console: Console, style: Style) -> None:
        self._console, self._style = console, style

    def host(self, host: HostResult, shown: Sequence[Finding]) -> None:
        if self._style.quiet and not shown and not host.error:
            return
        self._headline(host)
        if host.error:
            self._columns((LEFT - GAP, self._style.symbol(Outcome.UNKNOWN)), (0, host.error))
            self._indented(f"→ {host.remedy}" if host.remedy else "", LEFT, "cyan")
        else:
            self._findings(host, shown)
        self._console.print()

    def diagnosis(self, run: CheckRun) -> None:
        """Say of each cause of the symptom whether the evidence supports it."""
        if not run.symptom:
            return
        self._console.print(Text(self._style.text(f"diagnosis of {run.symptom}"), style="bold"))
        marks = {"supported": Outcome.FAIL, "not measurable": Outcome.UNKNOWN, "ruled out": Outcome.PASS}
        for one in run.diagnosis:
            told = Text(self._style.text(f"{one.standing.value}: {one.cause}"))
            self._columns((LEFT - GAP, self._style.symbol(marks[one.standing.value])), (0, told))
            if one.standing.value != "ruled out" or self._style.verbose:
                self._indented(one.how, LEFT, "dim")
                for line in one.evidence:
                    self._indented(line, LEFT, "")
            self._indented(f"→ {one.next}" if one.next else "", LEFT, "cyan")
        self._console.print()

    def changes(self, run: CheckRun) -> None:
        """List what is another way than the run before."""
        if run.changes is None or (self._style.quiet and not run.changes):
            return
        title = "changes" if run.changes else "no changes"
        self._console.print(Text(title, style="bold"))
        for one in run.changes:
            self._indented(one.line, GAP, "red" if one.worse else "green")
        self._console.print()

    def _findings(self, host: HostResult, shown: Sequence[Finding]) -> None:
        widths = self._widths(shown)
        for finding in shown:
            self._finding(finding, widths)
        if self._style.quiet:
            return
        if folded := _folded(host.findings, shown):
            self._indented(f"… {folded} (-v shows them)", GAP, "dim")
        self._indented(f"verdict: {host.verdict}" if host.verdict else "", GAP, "bold")

    def _headline(self, host: HostResult) -> None:
        """Name, class, address and labels at the left, the seconds at the right."""
        parts = dict.fromkeys(
            part for part in (host.name, host.class_name, host.address, host.labels) if part
        )
        line = Text(self._style.text(" · ".join(parts)), style="bold")
        seconds = f"{host.seconds:.1f} s" if host.seconds else ""
        room = self._console.width - cell_len(line.plain)
        if seconds and room >= len(seconds) + GAP:
            line.append(seconds.rjust(room), style="dim")
        elif seconds:
            line.append(f" {seconds}", style="dim")
        for wrapped in line.wrap(self._console, self._console.width):
            wrapped.rstrip()
            self._console.print(wrapped, soft_wrap=True)
        if self._style.verbose:
            self._indented(host.system, GAP, "dim")

    def _widths(self, shown: Sequence[Finding]) -> tuple[int, int]:
        """Return the widths of the id and of what was found."""
        identifier = _longest(finding.id for finding in shown)
        room = self._console.width - LEFT - identifier - 2 * GAP
        wanted = min(
            _longest(self._style.text(finding.wanted) for finding in shown), int(room * WANTED_SHARE)
        )
        found = _longest(self._style.text(_found(finding)) for finding in shown)
        return identifier, max(1, min(found, room - wanted))

    def _finding(self, finding: Finding, widths: tuple[int, int]) -> None:
        identifier, found = widths
        self._columns(
            (LEFT - GAP, self._style.symbol(finding.outcome)),
            (identifier, finding.id),
            (found, _found(finding)),
            (0, Text(self._style.text(finding.wanted), style="dim")),
        )
        self._indented(finding.note, LEFT, "dim")
        self._indented(f"→ {finding.remedy}" if finding.remedy else "", LEFT, "cyan")

    def _indented(self, words: str, by: int, colour: str) -> None:
        if words:
            self._columns((by - GAP, ""), (0, Text(self._style.text(words), style=colour)))

    def _columns(self, *cells: tuple[int, str | Text]) -> None:
        """Print cells beside each other, each wrapped in its width; 0 takes the rest of the line."""
        left, columns = 0, []
        for width, words in cells:
            text = words if isinstance(words, Text) else Text(self._style.text(words))
            room = width or max(1, self._console.width - left)
            if left == 0:
                text = Text(" " * max(0, width - cell_len(text.plain))).append_text(text)
            columns.append((left, text.wrap(self._console, room)))
            left += width + GAP
        for index in range(max(len(lines) for _, lines in columns)):
            line = Text()
            for start, lines in columns:
                if index < len(lines) and lines[index].plain.strip():
                    line.append(" " * (start - cell_len(line.plain))).append_text(lines[index])
            line.rstrip()
            self._console.print(line, soft_wrap=True)


def _longest(texts: Iterable[str]) -> int:
    return max((cell_len(text) for text in texts), default=0)


def _found(finding: Finding) -> str:
    return f"{finding.subject}: {finding.found}" if finding.subject else finding.found


def _folded(findings: Sequence[Finding], shown: Sequence[Finding]) -> str:
    """Say what is not shown: "19 more passed, 2 skipped"."""
    visible = {id(finding) for finding in shown}
    hidden = [finding.outcome for finding in findings if id(finding) not in visible]
    more = " more" if shown else ""
    counted = [(outcome, hidden.count(outcome)) for outcome in (Outcome.PASS, Outcome.SKIP, Outcome.WARN)]
    return ", ".join(
        f"{number}{more if outcome is Outcome.PASS else ''} {_word(outcome, number)}"
        for outcome, number in counted
        if number
    )


def _word(outcome: Outcome, number: int) -> str:
    return "warnings" if outcome is Outcome.WARN and number != 1 else WORDS[outcome]


def _last_line(run: CheckRun, style: Style) -> Text:
    line = Text()
    for outcome, number in ((outcome, run.totals[outcome]) for outcome in WORDS):
        if number or outcome is Outcome.PASS:
            line.append(style.text(" · ") if line.plain else "")
            line.append(f"{number} {_word(outcome, number)}", style=SYMBOLS[outcome][2])
    return line.append(f"   exit {run.exit_code}", style="bold")
