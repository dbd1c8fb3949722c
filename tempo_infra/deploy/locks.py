"""The locks of several hosts: all of them, or none and nothing is done anywhere.

Each host holds its own, so a run that dies lets go. First all at once, without waiting; when somebody else
has one of them, all are let go and asked for again in the order of the hosts' names, one after the other: two
runs that cross then meet at their first common host, where one of them waits with nothing in its hands that
the other wants.
"""

from __future__ import annotations

import getpass
import socket
import time
from typing import TYPE_CHECKING

from tempo_infra.errors import StepFailedError
from tempo_infra.on_host.steps.change import Lock, Unlock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tempo_infra.deploy.fleet import Fleet
    from tempo_infra.errors import TempoInfraError
    from tempo_infra.inventory.cluster import Host

CROSSING_S = 2.0  # a run that crosses this one lets go of its locks within that


def who() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def lock_step(run: str, wait_s: float = 0.0) -> Lock:
    return Lock(run, who(), wait_s)


def refused(errors: Mapping[str, TempoInfraError]) -> bool:
    """Whether a host could not be locked because somebody else is at work there."""
    return any(isinstance(error, StepFailedError) and error.step == Lock.name for error in errors.values())


def take(fleet: Fleet, hosts: Sequence[Host], run: str, wait_s: float = 0.0) -> Mapping[str, TempoInfraError]:
    """Lock all of these hosts; with an error none is locked."""
    errors = fleet.do({host.name: [lock_step(run)] for host in hosts}, hosts)
    return take_in_order(fleet, hosts, run, wait_s) if refused(errors) else _all_or_none(fleet, hosts, errors)


def take_in_order(
    fleet: Fleet, hosts: Sequence[Host], run: str, wait_s: float = 0.0
) -> Mapping[str, TempoInfraError]:
    """Let go of everything, then lock one host after the other, in the order of their names."""
    release(fleet, hosts)
    end = time.monotonic() + max(wait_s, CROSSING_S)
    for host in sorted(hosts, key=lambda one: one.name):
        step = lock_step(run, max(0.0, end - time.monotonic()))
        if errors := fleet.do({host.name: [step]}, [host]):
            return _all_or_none(fleet, hosts, errors)
    return {}


def release(fleet: Fleet, hosts: Sequence[Host]) -> None:
    fleet.do({host.name: [Unlock()] for host in hosts}, hosts)


def _all_or_none(
    fleet: Fleet, hosts: Sequence[Host], errors: Mapping[str, TempoInfraError]
) -> Mapping[str, TempoInfraError]:
    if errors:
        release(fleet, [host for host in hosts if host.name not in errors])
    return errors
