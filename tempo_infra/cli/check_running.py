"""One run of check-host from its request to its report, once or again and again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tempo_infra.checks.diagnosis import checks_for, diagnose
from tempo_infra.cli import check_measuring, check_outputs, checking
from tempo_infra.cli.check_watching import Watch, period_s, print_changes
from tempo_infra.errors import InputError
from tempo_infra.report.comparing import as_document, compare, earlier_sizes, read_report

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tempo_infra.on_host.facts import FactsOptions
    from tempo_infra.report.result import CheckRun


@dataclass(frozen=True, slots=True)
class Request:
    """What is measured, and how it is judged."""

    source: checking.Source
    selection: checking.Selection
    options: FactsOptions
    strict: bool
    symptom: str
    ask_sudo_password: bool
    save_facts: Path | None

    def selected(self) -> checking.Selection:
        """Let a symptom choose the checks that bear on it, unless --only does."""
        if not self.symptom:
            return self.selection
        return replace(self.selection, only=self.selection.only or checks_for(self.symptom))


@dataclass(frozen=True, slots=True)
class Report:
    """Where the report goes."""

    name: str  # of the format on standard output
    files: tuple[check_outputs.Output, ...]
    verbose: bool
    quiet: bool
    ascii_only: bool

    def give(self, run: CheckRun) -> None:
        check_outputs.write_files(run, self.files)
        options = {"verbose": self.verbose, "quiet": self.quiet, "ascii_only": self.ascii_only}
        check_outputs.show(run, self.name, **options)

    def give_changes(self, run: CheckRun) -> None:
        check_outputs.write_files(run, self.files)
        print_changes(run)


def conduct(request: Request, report: Report, *, old: Path | None, every: str) -> int:
    """Measure, judge and report; the exit code is that of the (last) run."""
    period = period_s(every) if every else 0.0
    if period and request.source.kept:
        raise InputError("--watch and --facts exclude each other: kept facts don't change")
    before = read_report(old) if old else None
    selection = request.selected()
    subjects = checking.subjects(request.source, selection)
    password = _password(request, subjects)

    def once() -> CheckRun:
        kept = request.source.kept
        if kept:
            answers = check_measuring.kept_answers(kept)
        else:
            answers = check_measuring.measure(subjects, request.options, sudo_password=password)
        check_measuring.save(answers, request.save_facts)
        sizes = earlier_sizes(before) if before else {}
        run = checking.judged(subjects, answers, selection, strict=request.strict, before=sizes)
        return _compared(_diagnosed(run, request.symptom), before)

    if period:
        return Watch(once, report.give, report.give_changes).until_stopped(period).exit_code
    run = once()
    report.give(run)
    return run.exit_code


def _password(request: Request, subjects: tuple[checking.Subject, ...]) -> str | None:
    """Ask once, also when hosts are measured again and again."""
    from tempo_infra.cli.sudo import ask_password

    wanted = request.ask_sudo_password and any(one.host for one in subjects)
    return ask_password() if wanted else None


def _diagnosed(run: CheckRun, symptom: str) -> CheckRun:
    if not symptom:
        return run
    found = diagnose(symptom, {host.name: host.findings for host in run.hosts})
    return replace(run, symptom=symptom, diagnosis=found)


def _compared(run: CheckRun, before: dict[str, Any] | None) -> CheckRun:
    return run if before is None else replace(run, changes=compare(before, as_document(run)))
