"""The table of faults in the docs is the table that is tested."""

from __future__ import annotations

import re
from pathlib import Path

from tempo_infra.checks import CHECKS
from tests.lab.check_host_faults import FAULTS

PAGE = Path(__file__).parents[2] / "docs/explanation/check-host.md"


def test_the_docs_list_every_fault_with_its_checks() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([a-z., ]+\.[a-z., ]+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(fault.name, ", ".join(sorted(fault.changes))) for fault in FAULTS]


def test_every_fault_belongs_to_checks_that_there_are() -> None:
    known = {check.id for check in CHECKS}
    for fault in FAULTS:
        assert fault.changes
        assert fault.changes | fault.may <= known
