"""What the VM needs from the machine's distribution beside what the rack needs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.packages import Need, missing, on_path
from lab.process import run

if TYPE_CHECKING:
    from lab.steps import Step

NEEDS = (
    Need("qemu-system-x86", on_path("qemu-system-x86_64")),
    Need("qemu-utils", on_path("qemu-img")),
    Need("e2fsprogs", on_path("mke2fs")),
)


def ensure(step: Step) -> None:
    """Install what is missing, after saying what."""
    if not (lacking := missing(NEEDS)):
        return
    if os.geteuid() != 0:
        raise LabError(f"this machine lacks {', '.join(lacking)}; run as root, or install them first")
    step.working(f"installing with apt-get: {' '.join(lacking)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], timeout=300, env=quiet)
    run(["apt-get", "install", "-qy", "--no-install-recommends", *lacking], timeout=900, env=quiet)
