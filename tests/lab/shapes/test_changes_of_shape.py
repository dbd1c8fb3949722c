"""Each change of a cluster's shape, with workflows starting and a schedule running all the while.

No start that was accepted is lost. When the command has ended well, every frontend takes a start at once,
`plan` has nothing to do, and the ring, the database and the inventory name the same members.
"""

from __future__ import annotations

import itertools
import sys

import pytest

from tests.lab.shapes.shape import Rack, Shape
from tests.lab.shapes.workload import Workload, takes_a_start

pytestmark = pytest.mark.shapes

SECOND_S, ALONE_S = 30.0, 180.0  # a client tries for so long where another one does the work, or none does
CHAINS = {
    "grown to five and back": [
        *("PFHMWU", "PFHMWU FHMW", "PFHMWU FHMW FHMW", "PFHMWU FHMW FHMW FH HM"),
        *("PFHMWU FHMW FHMW", "PFHMWU FHMW", "PFHMWU"),
    ],
    "each role moves to the database's host and back": [
        *("P FHMWU", "PU FHMW", "PUW FHM", "PUWM FH", "PUWMH F", "PUWMHF", "PF HMWU", "PFM HWU", "PHW FMU"),
        "P FHMWU",
    ],
    "three hosts, then two of each": [
        *("FMWU H P", "FMW H PU", "FM HW PU", "FM FHW PU", "FHM FHW PU", "FHM FHM PUW", "FHMU FHM PW"),
        *("- FHM PWU", "FHM FHM PWU"),
    ],
    "histories and frontends apart": [
        *("F H PMWU", "F H PMWU H", "F H PMWU H F", "F - PMWU H F", "- - PMWU H F", "M - PWU H F"),
    ],
}


def settled(rack: Rack, shape: Shape) -> None:
    """A command has ended well: starts are taken, and all that know the members agree."""
    refused = [why for n in shape.having("F") if (why := takes_a_start(rack.address(n)))]
    assert refused == [], shape.letters
    inventory = rack.inventory(shape)
    plan = inventory.run("plan --no-diff --detailed-exitcode")
    assert plan.code == 0, f"{shape.letters}: {plan.said}"
    members = inventory.run("check-host --quick --only temporal.members")
    assert members.code == 0, f"{shape.letters}: {members.said}"
    for n in shape.having("F"):
        assert rack.ring(n) == rack.members(shape), shape.letters


def has_a_second(old: Shape, new: Shape) -> bool:
    """Whether an instance of each role that starts need is there before, during and after the change."""
    return all(len({*old.having(role)} & {*new.having(role)}) > 1 for role in "FHM")


def change(rack: Rack, old: Shape, new: Shape) -> Workload:
    """Make one shape the other while workflows run; all are accounted for."""
    gone = [rack.hosts[n] for n in old.places if n not in new.places]
    frontends = [rack.address(n) for n in sorted({*old.having("F"), *new.having("F")})]
    work = Workload(frontends, longest_s=SECOND_S if has_a_second(old, new) else ALONE_S)
    inventory = rack.inventory(new)
    with work.all_along():
        ran = inventory.provision(*(word for name in gone for word in ("--gone", name)))
        settled(rack, new)
    what = f"{old.letters} -> {new.letters}: {ran.said}"
    assert work.refused == [], what
    assert work.lost == [], what
    assert work.accepted, what
    assert work.scheduled > 0, what
    return work


@pytest.mark.parametrize("chain", CHAINS)
def test_nothing_is_lost_in_any_change_of(chain: str, rack: Rack) -> None:
    shapes = [Shape(letters) for letters in CHAINS[chain]]
    rack.inventory(shapes[0]).provision()
    settled(rack, shapes[0])
    for old, new in itertools.pairwise(shapes):
        work = change(rack, old, new)
        figures = f"{len(work.accepted)} started, {work.slowest_s:.1f} s at most"
        sys.stdout.write(f"{old.letters:<26} -> {new.letters:<26} {figures}\n")


def test_a_name_or_a_place_in_the_file_restarts_nothing(rack: Rack) -> None:
    first = Shape("FHM FHM PWU")
    rack.inventory(first).provision()
    before = rack.starts()
    for other in (Shape(first.letters, order=(1, 0, 2)), Shape(first.letters, order=(2, 1, 0))):
        rack.inventory(other).provision()
        settled(rack, other)
    assert rack.starts() == before


@pytest.mark.parametrize(
    "shape",
    [
        " ".join(
            "".join(role for role, at in zip("PFHMWU", (0, *places), strict=True) if at == n) for n in (0, 1)
        )
        for places in ((n >> 4 & 1, n >> 3 & 1, n >> 2 & 1, n >> 1 & 1, n & 1) for n in range(1, 32))
    ],
)
def test_two_hosts_come_up_from_nothing_in_every_shape(shape: str, rack: Rack) -> None:
    found = Shape(shape)
    rack.inventory(found).provision()
    settled(rack, found)
