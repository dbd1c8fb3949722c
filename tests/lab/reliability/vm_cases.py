"""Cases of the emulated VM: there a power cut loses what was not flushed, and the clock is the host's own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tests.lab.conftest import Ran
from tests.lab.reliability import power
from tests.lab.reliability.case import NEW, OLD, Case, Scene
from tests.lab.reliability.moments import MOMENTS
from tests.lab.reliability.watch import Moment

FIRST = (Moment("switch"), Moment("confirm", "confirmed"), Moment("arm"), Moment("healthy"))


def clock_stepped(by: str, moment: Moment, scene: Scene) -> Ran:
    """The host's clock jumps in the middle of a change; nothing that counts seconds looks at it."""
    host = scene.bed.host
    words = ["date", "-s", by]
    try:
        return scene.at(moment, lambda _: host.must(words))
    finally:
        host.must(["hwclock", "--hctosys", "--utc"])


def cases() -> list[Case]:
    ordered = [*FIRST, *(moment for moment in MOMENTS if moment not in FIRST)]
    found = [
        Case("power cut", str(moment), partial(power.cut, moment), boots=True, codes=frozenset({1, 3}),
             outcomes=frozenset({NEW} if moment.result == "confirmed" else {OLD}))
        for moment in ordered
    ]  # fmt: skip
    found += [
        Case("reboot", str(Moment("healthy")), partial(power.rebooted, Moment("healthy")), boots=True),
        Case("clock a day ahead", str(Moment("switch")), partial(clock_stepped, "+1 day", Moment("switch"))),
        Case("clock a day back", str(Moment("switch")), partial(clock_stepped, "-1 day", Moment("switch"))),
    ]
    return [replace(case, bed="vm") for case in found]


VM_CASES = cases()
