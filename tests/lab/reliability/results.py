"""What was seen: kept case by case, and written as the table of docs/reliability.md in the end."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from lab.paths import CHECKOUT, Home
from tests.lab.reliability.case import Case, Outcome

PAGE = CHECKOUT / "docs" / "reliability.md"
BEGIN, END = "<!-- written by the suite, from here -->", "<!-- to here -->"
Key = tuple[str, str, str]


def _file() -> Path:
    return Home.locate().root / "reliability.jsonl"


def record(outcome: Outcome) -> None:
    """Keep an outcome; the last one of a case counts. Several processes may do so at once."""
    with _file().open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(asdict(outcome), sort_keys=True) + "\n")


def seen() -> dict[Key, Outcome]:
    """Return the last outcome of each case."""
    if not _file().exists():
        return {}
    found = (Outcome(**json.loads(line)) for line in _file().read_text().splitlines())
    return {(one.bed, one.fault, one.step): one for one in found}


def write(cases: Iterable[Case]) -> list[Case]:
    """Write the table of what was seen, in the order of the cases; return those of which nothing is known."""
    outcomes, known = seen(), list(cases)
    missing = [case for case in known if key(case) not in outcomes]
    rows = [outcomes[key(case)] for case in known if key(case) in outcomes]
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{_summary(rows, len(known))}\n\n{_table(rows)}\n{END}{after}")
    return missing


def key(case: Case) -> Key:
    return case.bed, case.fault, case.step


def _summary(rows: list[Outcome], known: int) -> str:
    counts: Mapping[str, int] = {
        word: sum(row.outcome == word for row in rows) for word in sorted({row.outcome for row in rows})
    }
    told = ", ".join(f"{count} ended {word}" for word, count in counts.items())
    spent = sum(row.seconds for row in rows) / 60
    seen = f"{len(rows)} of the suite's {known} cases: {told}."
    return f"{seen} From the run's start to the host's decision: {spent:.0f} minutes in all."


def _table(rows: list[Outcome]) -> str:
    lines = ["| fault | at | on | the host is | exit code | seconds |", "|---|---|---|---|---:|---:|"]
    lines += [
        f"| {row.fault} | {row.step} | {row.bed} | {row.outcome} | {_code(row.code)} | {row.seconds:g} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _code(code: int) -> str:
    return str(code) if code >= 0 else "killed"
