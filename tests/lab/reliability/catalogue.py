"""All cases of lab hosts, in the order of the table."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.reliability import containers, database, disks, hangs, link, operators, people, power
from tests.lab.reliability.case import Case

# A dozen of them are in the fast part, some for each kind of fault.
FAST = {
    ("connection reset", "stage ended"),
    ("connection closed", "arm ended"),
    ("connection cut, upwards", "after 10000 bytes"),
    ("cut, then `resume`", "switch begun"),
    ("operator SIGINT", "stage ended"),
    ("operator SIGINT twice", "switch ended"),
    ("operator SIGKILL", "stage ended"),
    ("two operators", "stage ended"),
    ("power cut", "validate ended"),
    ("power cut while going back", "rollback begun"),
    ("run's process killed", "validate ended"),
}
CASES: list[Case] = [
    replace(case, fast=(case.fault, case.step) in FAST)
    for module in (link, operators, power, containers, disks, people, hangs, database)
    for case in module.cases()
]
