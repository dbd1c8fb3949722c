"""All checks, in the order of the report: data first, then what makes it slow, then advice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.checks import clock, cpu, disk, docker, fsync, kernel, memory, nofile, virt

if TYPE_CHECKING:
    from tempo_infra.checks.check import Check

CHECKS: tuple[Check, ...] = (
    disk.kind,
    fsync.latency,
    fsync.flush,
    disk.space,
    disk.size,
    nofile.container,
    nofile.runtime,
    nofile.login,
    kernel.open_files,
    cpu.steal,
    cpu.cores,
    memory.total,
    virt.kind,
    clock.sync,
    clock.source,
    docker.engine,
    docker.compose,
    kernel.somaxconn,
    kernel.swappiness,
    kernel.overcommit,
    kernel.thp,
)
