"""What the kernel is told: only what the host's roles need, each line with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import Role
from tempo_infra.sizing.settings import GIB, MIB, Setting

if TYPE_CHECKING:
    from tempo_infra.inventory.cluster import Host

KERNEL = "https://docs.kernel.org/admin-guide/sysctl/vm.html"
POSTGRESQL = "https://www.postgresql.org/docs/current/kernel-resources.html"


def sysctl(host: Host, huge_pages: Setting | None = None, *, own_network: bool = True) -> tuple[Setting, ...]:
    """Return the sysctls of a host; `huge_pages` is how many PostgreSQL wants reserved.

    Those of the network don't reach a container that has one of its own: there the kernel's defaults hold.
    """
    settings = [_swappiness(host)]
    if host.has(Role.POSTGRESQL):
        settings += _writeback(host)
    if huge_pages is not None:
        settings.append(huge_pages)
    if host.has(Role.FRONTEND) or not own_network:
        reason = "clients connect in bursts; older kernels queue 128"
        settings.append(Setting("net.core.somaxconn", 4096, "", reason, "man 2 listen"))
    return tuple(settings)


def thp(host: Host) -> Setting | None:
    """Return who gets transparent huge pages: only programs that ask."""
    if not host.has(Role.POSTGRESQL):
        return None
    reason = "PostgreSQL's backends stall while the kernel compacts memory"
    others = (("Debian 12", "always"),)
    return Setting(
        "/sys/kernel/mm/transparent_hugepage/enabled", "madvise", "", reason, POSTGRESQL, instead=others
    )


def nofile(count: int) -> Setting:
    reason = "logins and what people start from them; containers get theirs from the compose file"
    others = (("article", "65535 for everybody but root"), ("Debian", "1024, at most 1048576"))
    return Setting("nofile", count, "", reason, "man 5 limits.conf", instead=others)


def _swappiness(host: Host) -> Setting:
    if host.has(Role.POSTGRESQL):
        return Setting(
            "vm.swappiness", 1, "", "the page cache shrinks before a backend is swapped out", KERNEL
        )
    return Setting(
        "vm.swappiness", 10, "", "a Go heap that is swapped out stops its garbage collector", KERNEL
    )


def _writeback(host: Host) -> list[Setting]:
    """Small batches to the disk: a WAL flush waits behind them."""
    large = host.resources.memory_bytes >= 16 * GIB and host.resources.disk.kind == "nvme"
    background = (256 if large else 64) * MIB
    reason = "a WAL flush waits behind what is being written back"
    return [
        Setting("vm.dirty_background_bytes", background, "", reason, KERNEL),
        Setting("vm.dirty_bytes", 4 * background, "", "writers wait from here on", KERNEL),
    ]
