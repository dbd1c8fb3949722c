"""From facts to findings: the whole catalogue, or what was asked for."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tempo_infra.checks.catalogue import CHECKS
from tempo_infra.checks.check import Check, Phase
from tempo_infra.checks.finding import Finding, Outcome, noting, skipped
from tempo_infra.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts


def judge(
    facts: Facts,
    expected: Expected,
    *,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    ignore: Collection[str] = (),
    phase: Phase = Phase.BOTH,
) -> tuple[Finding, ...]:
    """Return the findings in the order of the catalogue.

    Names are ids ("disk.fsync") or their first part ("disk"); InputError for one that no check has.
    `only` leaves the others out, `skip` says that a check isn't wanted, `ignore` lowers what it fails or
    can't measure to a warning that says so.
    """
    for name in (*only, *skip, *ignore):
        find(name)
    chosen = [one for one in CHECKS if (not only or _named(one, only)) and phase.includes(one.phase)]
    found: list[Finding] = []
    for one in chosen:
        if _named(one, skip):
            found += replace(one, function=lambda _facts, _expected: skipped("--skip")).evaluate(
                facts, expected
            )
            continue
        findings = one.evaluate(facts, expected)
        found += [_ignored(finding) for finding in findings] if _named(one, ignore) else findings
    return tuple(found)


def find(name: str) -> tuple[Check, ...]:
    """Return the checks that an id or its first part names; InputError when there is none."""
    found = tuple(one for one in CHECKS if _named(one, (name,)))
    if not found:
        known = [one.id for one in CHECKS]
        near = get_close_matches(name, [*known, *(one.group for one in CHECKS)], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"no check {name!r}", remedy=f"{hint}`tempo-infra checks list` shows all")
    return found


def _named(one: Check, names: Collection[str]) -> bool:
    return one.id in names or one.group in names


def _ignored(finding: Finding) -> Finding:
    if finding.outcome not in (Outcome.FAIL, Outcome.UNKNOWN):
        return finding
    return noting(
        replace(finding, outcome=Outcome.WARN, remedy=""), f"{finding.outcome.value}, lowered by --ignore"
    )
