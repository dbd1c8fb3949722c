"""What changed between two runs: findings whose outcome is another one, hosts that came or went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tempo_infra import trees
from tempo_infra.checks.expected import EarlierSize
from tempo_infra.checks.finding import Outcome
from tempo_infra.deploy.responses import harmless
from tempo_infra.errors import InputError, cause
from tempo_infra.on_host.wire import read_json
from tempo_infra.report.escaping import plain
from tempo_infra.report.findings_json import SCHEMA, document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tempo_infra.report.result import CheckRun

MAX_FILE_BYTES = 64 * 1024 * 1024
HOST = "host"  # stands where a check's id would: the host answered, or didn't


@dataclass(frozen=True, slots=True)
class Change:
    host: str
    id: str
    subject: str
    before: str  # an outcome, or "-" when there was no such finding
    after: str
    found: str  # now, or what was found before where it is gone

    @property
    def worse(self) -> bool:
        return _rank(self.after) > _rank(self.before)

    @property
    def line(self) -> str:
        subject = f" {self.subject}" if self.subject else ""
        return f"{self.host} {self.id}{subject}: {self.before} → {self.after}   {self.found}"


def _rank(outcome: str) -> int:
    return Outcome(outcome).rank if outcome in set(Outcome) else 0


def compare(before: dict[str, Any], after: dict[str, Any]) -> tuple[Change, ...]:
    """Compare two documents of `findings_json`; worse ones first, then in the order of the report."""
    old, new = _outcomes(before), _outcomes(after)
    changes = [
        Change(*key, old.get(key, ("-", ""))[0], new.get(key, ("-", ""))[0], (new.get(key) or old[key])[1])
        for key in {**new, **old}
        if old.get(key, ("-",))[0] != new.get(key, ("-",))[0]
    ]
    return tuple(sorted(changes, key=lambda one: not one.worse))


def _outcomes(document: dict[str, Any]) -> dict[tuple[str, str, str], tuple[str, str]]:
    found: dict[tuple[str, str, str], tuple[str, str]] = {}
    for host in document["hosts"]:
        name, error = plain(str(host["name"])), plain(str(host["error"]))
        found[name, HOST, ""] = (Outcome.UNKNOWN.value, error) if error else (Outcome.PASS.value, "answers")
        for one in host["findings"]:
            key = (name, plain(str(one["id"])), plain(str(one["subject"])))
            found[key] = (plain(str(one["outcome"])), plain(str(one["found"])))
    return found


def earlier_sizes(report: dict[str, Any]) -> dict[str, EarlierSize]:
    """Return how large each host's database was, where a report says so."""
    found: dict[str, EarlierSize] = {}
    for host in report["hosts"]:
        for one in host["findings"]:
            evidence = one.get("evidence") if one["id"] == "disk.growth" else None
            if isinstance(evidence, dict) and isinstance(evidence.get("data_bytes"), int):
                taken_at = str(evidence.get("taken_at", ""))
                found[str(host["name"])] = EarlierSize(evidence["data_bytes"], taken_at, _sizes(evidence))
    return found


def _sizes(evidence: Mapping[str, Any]) -> dict[str, int]:
    """Return the sizes of tables and indexes, where a report has them."""
    sizes = evidence.get("sizes")
    return {k: v for k, v in sizes.items() if isinstance(v, int)} if isinstance(sizes, dict) else {}


def as_document(run: CheckRun) -> dict[str, Any]:
    return document(run)


def read_report(path: Path) -> dict[str, Any]:
    """Read a report that `--format json` wrote; InputError when it is something else."""
    remedy = "such a file is written by `check-host --output report.json`"
    try:
        found = harmless(read_json(trees.read(path, MAX_FILE_BYTES)), str)
        _outcomes(found)
    except FileNotFoundError as error:
        raise InputError(f"{path}: {cause(error)}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: no report of check-host", remedy=remedy) from error
    if found.get("schema") != SCHEMA:
        raise InputError(f"{path}: a report of schema {found.get('schema')!r}; this version reads {SCHEMA}")
    kept: dict[str, Any] = found
    return kept
