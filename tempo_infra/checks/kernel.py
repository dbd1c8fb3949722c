"""Kernel settings: open files over the whole host, huge pages, swapping, overcommit, listen queues."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tempo_infra.checks.check import check
from tempo_infra.checks.finding import (
    Finding,
    Outcome,
    Severity,
    at_least,
    at_most,
    follow,
    judged,
    noting,
    number,
    one_of,
    skipped,
    together,
)

if TYPE_CHECKING:
    from tempo_infra.checks.expected import Expected
    from tempo_infra.on_host.facts import Facts
    from tempo_infra.on_host.probes.kernel import Dirty, OpenFiles

DIRTY_BYTES = 1024**3  # four times what the largest class writes back at once
_PROVISION = "tempo-infra provision -i {inventory} --host {host}"


@check(
    "fs.filenr",
    "the host as a whole has open files left",
    severity=Severity.MAJOR,
    wants="allocated files within file_nr_percent of the maximum, and fs.nr_open at least limits.nofile",
    remedy="sysctl -w fs.nr_open=1048576 fs.file-max=2097152, and the same in /etc/sysctl.d; `lsof -n` says "
    "who holds them",
    source="https://www.kernel.org/doc/html/latest/admin-guide/sysctl/fs.html",
)
def open_files(facts: Facts, expected: Expected) -> Finding:
    def judge(told: OpenFiles) -> Finding:
        percent = 100 * told.allocated / max(1, told.maximum)
        used = at_most(
            round(percent, 1),
            expected.limit("file_nr_percent"),
            fail=expected.limit("file_nr_fail_percent"),
            unit="%",
        )
        each = at_least(told.per_process, expected.nofile, fail=expected.nofile, label="nr_open")
        return noting(together(used, each), "", **asdict(told))

    return judged(follow(facts.kernel, lambda part: part.open_files), judge)


@check(
    "kernel.thp",
    "huge pages only for programs that ask",
    severity=Severity.ADVICE,
    wants="never or madvise, where PostgreSQL runs",
    remedy=_PROVISION,
    source="https://www.kernel.org/doc/html/latest/admin-guide/mm/transhuge.html",
)
def thp(facts: Facts, expected: Expected) -> Finding:
    if not expected.keeps_the_data:
        return skipped("no PostgreSQL on this host")
    return judged(
        follow(facts.kernel, lambda part: part.thp),
        lambda chosen: one_of(chosen, ("never", "madvise")),
        "never or madvise",
    )


@check(
    "kernel.swappiness",
    "the page cache gives way before programs are swapped out",
    severity=Severity.ADVICE,
    wants="vm.swappiness within the class's swappiness",
    remedy=_PROVISION,
    source="https://www.kernel.org/doc/html/latest/admin-guide/sysctl/vm.html#swappiness",
)
def swappiness(facts: Facts, expected: Expected) -> Finding:
    return judged(
        follow(facts.kernel, lambda part: part.swappiness),
        lambda found: at_most(found, expected.limit("swappiness")),
    )


@check(
    "kernel.overcommit",
    "memory is not promised without limit",
    severity=Severity.ADVICE,
    wants="vm.overcommit_memory 0 or 2",
    remedy="sysctl -w vm.overcommit_memory=0, and the same in /etc/sysctl.d",
    source="https://www.postgresql.org/docs/current/kernel-resources.html#LINUX-MEMORY-OVERCOMMIT",
)
def overcommit(facts: Facts, expected: Expected) -> Finding:
    del expected
    return judged(
        follow(facts.kernel, lambda part: part.overcommit), lambda found: one_of(str(found), ("0", "2"))
    )


@check(
    "kernel.somaxconn",
    "bursts of connections find room in the listen queue",
    severity=Severity.MAJOR,
    wants="net.core.somaxconn at least somaxconn of the class; below somaxconn_fail it fails",
    remedy=_PROVISION,
    source="https://man7.org/linux/man-pages/man2/listen.2.html",
)
def somaxconn(facts: Facts, expected: Expected) -> Finding:
    return judged(
        follow(facts.kernel, lambda part: part.somaxconn),
        lambda found: at_least(found, expected.limit("somaxconn"), fail=expected.limit("somaxconn_fail")),
    )


@check(
    "kernel.dirty",
    "a durable write doesn't wait behind gigabytes of others",
    severity=Severity.ADVICE,
    wants="where PostgreSQL runs, vm.dirty_bytes set and at most 1 GiB",
    remedy=_PROVISION,
    source="https://docs.kernel.org/admin-guide/sysctl/vm.html#dirty-bytes",
)
def dirty(facts: Facts, expected: Expected) -> Finding:
    if not expected.keeps_the_data:
        return skipped("no PostgreSQL on this host")

    def judge(told: Dirty) -> Finding:
        if told.limit_bytes:
            return noting(at_most(told.limit_bytes, DIRTY_BYTES, unit="bytes"), "", **asdict(told))
        available = follow(facts.memory, lambda part: part.available_bytes).value or 0
        worth = number(available * told.ratio_percent / 100, "bytes")
        return Finding(
            outcome=Outcome.PASS if available * told.ratio_percent <= 100 * DIRTY_BYTES else Outcome.WARN,
            found=f"{told.ratio_percent} % of what is free: {worth}",
            wanted=f"≤ {number(DIRTY_BYTES, 'bytes')}",
            evidence=asdict(told),
        )

    return judged(follow(facts.kernel, lambda part: part.dirty), judge)
