"""All cases of lab hosts, in the order of the table."""

from __future__ import annotations

from tests.lab.reliability import containers, database, disks, link, operators, people, power
from tests.lab.reliability.case import Case

CASES: list[Case] = [
    case
    for module in (link, operators, power, containers, disks, people, database)
    for case in module.cases()
]
