"""The page of planted faults, made from their rows and from the lists of what healthy hosts show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.expected import RACK, VM
from tests.lab.planted import FAULTS
from tests.lab.planted.fault import VM_ROLE
from tests.lab.planted.recorded import RECORDED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.expected import Known
    from tests.lab.planted.fault import Fault
    from tests.lab.planted.recorded import Recorded

INTRODUCTION = """\
# Planted faults

What tests whether `check-host` tells the truth: {count} faults, planted one at a time. {rack} are planted on
the provisioned lab, {vm} in the emulated VM, which has a kernel, a clock and disks of its own; {recorded}
can't be made on one machine and are judged from facts as such hosts report them (`check-host --facts`).

For each one the check that owns it has to find it with the outcome named here, and every other finding has
to be as the host's list of [what healthy hosts show](#what-healthy-hosts-show) says, but for the checks of
the last column. Those of the lab and the VM are healed afterwards, and hosts are checked again at the end.

    make test              {fast} of the faults of the lab, and all that are judged from facts
    make test-check-host   all faults of the lab, and twenty runs on healthy hosts: {rack_takes}
    make test-vm-faults    all faults of the VM: {vm_takes}

| fault | where | how it is planted | found by | others, and why |
|---|---|---|---|---|
"""
HEALTHY = """
## What healthy hosts show

Everything passes but for these, reviewed one by one. `pass or warn` stands where a measurement has the
machine's other work in it: the lab's hosts share its CPUs and its disk.
"""
PLACES = {VM_ROLE: "VM"}
RACK_TAKES = "11 min 16 s on two quiet cores, 8 min 30 s of it faults and healthy hosts"
VM_TAKES = "11 min 4 s, beside other work"


def page() -> str:
    """Return the page, without its head."""
    fast = sum(one.fast for one in FAULTS)
    in_vm = sum(one.where == VM_ROLE for one in FAULTS)
    text = INTRODUCTION.format(
        count=len(FAULTS) + len(RECORDED),
        rack=len(FAULTS) - in_vm,
        vm=in_vm,
        recorded=len(RECORDED),
        fast=fast,
        rack_takes=RACK_TAKES,
        vm_takes=VM_TAKES,
    )
    rows = [
        _row(one, PLACES.get(one.where, f"lab, {one.where}"), {**one.also, **_perhaps(one.may)})
        for one in FAULTS
    ]
    rows += [_row(one, "facts", one.also) for one in RECORDED]
    lists = [_list(name, known) for name, known in (*RACK.items(), ("the VM, not provisioned", VM))]
    return text + "".join(rows) + HEALTHY + "".join(lists)


def _perhaps(may: Mapping[str, str]) -> dict[str, str]:
    return {name: f"perhaps, {reason}" for name, reason in may.items()}


def _row(one: Fault | Recorded, where: str, also: Mapping[str, str]) -> str:
    by_reason: dict[str, list[str]] = {}
    for other, reason in also.items():
        by_reason.setdefault(reason, []).append(other)
    others = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
    link = f"[{one.check}](checks.md#{one.check.replace('.', '')})"
    return f"| {one.name} | {where} | {one.how} | {link} {one.outcome} | {others} |\n"


def _list(name: str, known: Mapping[str, Known]) -> str:
    rows = (
        f"| {finding} | {' or '.join(sorted(entry.outcomes))} | {entry.reason} |\n"
        for finding, entry in sorted(known.items())
    )
    return f"\n### {name}\n\n| finding | outcome | why |\n|---|---|---|\n{''.join(rows)}"
