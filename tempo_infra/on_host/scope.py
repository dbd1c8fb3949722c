"""A run's process in a unit of its own, so that ending the operator's login does not end the work."""

from __future__ import annotations

import os

from tempo_infra.on_host.shell import StepError, run

BUS = ["busctl", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1"]
MANAGER = "org.freedesktop.systemd1.Manager"


def enter_scope(run_id: str) -> bool:
    """Move this process out of the login's control group; False where systemd would not."""
    unit = f"tempo-infra-run-{run_id}.scope"
    words = [
        "StartTransientUnit",
        "ssa(sv)a(sa(sv))",
        unit,
        "fail",
        "1",
        "PIDs",
        "au",
        "1",
        str(os.getpid()),
        "0",
    ]
    try:
        return run([*BUS, MANAGER, *words], deadline_s=10).returncode == 0
    except StepError:
        return False


def end_scope(run_id: str) -> None:
    """End what is left of a run, with everything that it has started."""
    unit = f"tempo-infra-run-{run_id}.scope"
    run(["systemctl", "kill", "--signal=SIGKILL", unit], deadline_s=20)
