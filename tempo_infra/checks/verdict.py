"""One line a host: is the machine fit for its class and roles, by which figures, and what is not in order.

What is rented counts for the class; what provisioning or a person can put right does not. The database
host is judged by its durable writes. The others write nothing that anyone waits for: they are judged by
CPU, memory and their round trip to the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.checks.finding import Finding, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tempo_infra.checks.expected import Expected

OF_THE_MACHINE = ("virt.kind", "cpu.steal", "cpu.count", "mem.total", "disk.space", "disk.size", "net.rtt")
OF_ITS_DISK = ("disk.kind", "disk.fsync", "disk.flush")  # where the data is; elsewhere they only warn
FIGURES = ("cpu.steal", "cpu.count", "mem.total")
NEEDED = ("virt.kind", *FIGURES)
UNITS = {"cpu.count": " vCPU"}


def verdict(findings: Sequence[Finding], expected: Expected, database: Sequence[Finding] = ()) -> str:
    """Sum up a host; `database` are the findings of the host that flushes its writes, if they are known."""
    name = f"its class ({expected.class_name})" if expected.class_name else "its purpose"
    counted = (*OF_THE_MACHINE, *OF_ITS_DISK) if expected.keeps_the_data else OF_THE_MACHINE
    machine = [one for one in findings if one.id in counted]
    failed, unknown = _ids(machine, Outcome.FAIL), _ids(machine, Outcome.UNKNOWN)
    if failed:
        fit = f"not fit for {name}: {failed}"
    elif not {one.id for one in machine} >= set(NEEDED):
        fit = ""  # too little was asked for to say
    elif unknown:
        fit = f"not known to be fit for {name}: {unknown} not measured"
    else:
        fit = f"fit for {name}"
    others = _ids([one for one in findings if one.id not in counted], Outcome.FAIL)
    wrong = f"not in order: {others}" if others else ""
    return "; ".join(
        part for part in (fit, wrong, _figures(findings, expected), _writes(expected, database)) if part
    )


def _ids(findings: Iterable[Finding], outcome: Outcome) -> str:
    return ", ".join(dict.fromkeys(one.id for one in findings if one.outcome is outcome))


def _figures(findings: Sequence[Finding], expected: Expected) -> str:
    """Tell measured values against wanted ones, those that decide for this host's roles."""
    wanted = ("disk.fsync", *FIGURES) if expected.keeps_the_data else FIGURES
    chosen = [one for name in wanted for one in findings if one.id == name]
    if not expected.keeps_the_data:
        chosen += [one for one in findings if one.id == "net.rtt" and one.subject == expected.writer]
    return ", ".join(
        _figure(one)
        for one in chosen
        if one.outcome is not Outcome.SKIP and one.outcome is not Outcome.UNKNOWN
    )


def _figure(one: Finding) -> str:
    names = {"net.rtt": f"round trip to {one.subject} ", "disk.fsync": "fsync ", "cpu.steal": "steal "}
    return f"{names.get(one.id, '')}{one.found}{UNITS.get(one.id, '')} ({one.wanted})"


def _writes(expected: Expected, database: Sequence[Finding]) -> str:
    if expected.keeps_the_data or not expected.writer:
        return ""
    measured = [one for one in database if one.id == "disk.fsync" and one.outcome is not Outcome.SKIP]
    figure = f": fsync {measured[0].found} there" if measured else ""
    return f"its durable writes are flushed on {expected.writer}{figure}"
