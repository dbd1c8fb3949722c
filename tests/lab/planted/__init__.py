"""Faults for check-host, as data: each is planted, found by exactly the checks that own it, and healed."""

from __future__ import annotations

from tests.lab.planted import (
    clocks,
    complaints,
    database,
    disks,
    engine,
    limits,
    machine,
    services,
    settings,
    upkeep,
    wires,
)
from tests.lab.planted.fault import VM_ROLE, Fault

FAULTS: tuple[Fault, ...] = (
    *disks.FAULTS,
    *complaints.FAULTS,
    *services.FAULTS,
    *upkeep.FAULTS,
    *database.FAULTS,
    *wires.FAULTS,
    *limits.FAULTS,
    *clocks.FAULTS,
    *engine.FAULTS,
    *settings.FAULTS,
    *machine.FAULTS,  # last: a kernel may trust its cheap clock no more when a vCPU comes back
)
RACK = tuple(one for one in FAULTS if one.where != VM_ROLE)
IN_THE_VM = tuple(one for one in FAULTS if one.where == VM_ROLE)
