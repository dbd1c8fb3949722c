"""Beds: lab hosts of this suite alone.

TEMPO_LAB_RELIABILITY names them (extra-1,extra-2 if it does not); `python3 -m lab up --hosts 5` starts them.
With --reliability-host only the cases of one of them are run, so that two processes can share the work.
"""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest

from lab.errors import LabError
from lab.hosts import Lab
from tests.lab import invariants
from tests.lab.conftest import claim, running_lab
from tests.lab.reliability import results
from tests.lab.reliability.bed import Bed, Change, Kind
from tests.lab.reliability.case import Case
from tests.lab.reliability.catalogue import CASES

BEDS = os.environ.get("TEMPO_LAB_RELIABILITY", "extra-1,extra-2").split(",")
SERVICES = {"light": {"ui"}, "full": {"postgresql", "history", "matching", "worker", "frontend", "ui"}}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reliability-table", action="store_true", help="write docs/reliability.md at the end")
    parser.addoption("--reliability-host", default="", help="only the cases of this host")
    parser.addoption(
        "--reliability-missing", action="store_true", help="only cases without an outcome, each fault in turn"
    )
    parser.addoption("--reliability-minutes", type=float, default=0, help="begin no case after so long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    only = config.getoption("--reliability-host")
    if only:
        items[:] = [item for item in items if _host_of(item) in ("", only)]
    if config.getoption("--reliability-missing"):
        known = results.seen()
        turns = Counter(fault for _, fault, _ in known)
        left: list[tuple[int, pytest.Item]] = []
        for item in items:
            case = _case_of(item)
            if case is not None and results.key(case) not in known:
                turns[case.fault] += 1
                left.append((turns[case.fault] + (1000 if case.bed == "full" else 0), item))
        items[:] = [item for _, item in sorted(left, key=lambda one: one[0])]


def _case_of(item: pytest.Item) -> Case | None:
    found = getattr(item, "callspec", None)
    return found.params.get("case") if found else None


def pytest_runtest_logfinish(nodeid: str, location: object) -> None:
    """End the session between two cases when its time is up."""
    if STARTED.over():
        STARTED.session.shouldstop = "the time is up; the rest is for --reliability-missing"


class Started:
    """The session, and until when it begins cases."""

    session: pytest.Session
    until = 0.0

    def over(self) -> bool:
        return bool(self.until) and time.monotonic() > self.until


STARTED = Started()


def pytest_sessionstart(session: pytest.Session) -> None:
    STARTED.session = session
    minutes = session.config.getoption("--reliability-minutes")
    STARTED.until = time.monotonic() + minutes * 60 if minutes else 0.0


def _host_of(item: pytest.Item) -> str:
    found = getattr(item, "callspec", None)
    return str(found.params.get("host", "")) if found else ""


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not session.config.getoption("--reliability-table"):
        return
    from tests.lab.reliability.vm_cases import VM_CASES

    missing = results.write([*CASES, *VM_CASES])
    if missing:
        print(f"\n{len(missing)} cases were never run: {', '.join(case.id for case in missing[:8])} ...")  # noqa: T201  # for who reads the run


class Beds:
    """Makes a host the bed that a case asks for, and remembers it."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._beds: dict[str, Bed] = {}
        self.doubtful: set[str] = set()  # hosts on which a case failed

    def get(self, name: str, kind: Kind) -> Bed:
        bed = self._beds.get(name)
        if bed is None or bed.kind != kind or name in self.doubtful:
            bed = self._make(name, kind)
            self._beds[name] = bed
            self.doubtful.discard(name)
        return bed

    def _make(self, name: str, kind: Kind) -> Bed:
        bed = Bed(self._lab.root, self._lab.host(name), kind)
        try:
            seen = bed.look()
            good = (
                set(seen["containers"]) == SERVICES[kind]
                and bed.run("provision", bed.inventory(bed.now)).code == 0
            )
            good = good and not invariants.wrong_with(bed.look())
        except (RuntimeError, LabError):
            good = False
        if not good:
            bed.host.reset()
            bed.provision(Change.new())
        bed.make_foreign()
        if kind == "full":
            bed.make_rows()
        return bed


@pytest.fixture(scope="session")
def beds(pytestconfig: pytest.Config) -> Beds:
    lab = running_lab("python3 -m lab up --hosts 5")
    only = pytestconfig.getoption("--reliability-host")
    claim(lab.root, [only] if only else BEDS)
    return Beds(lab)
