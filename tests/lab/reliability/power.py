"""The host: switched off at every step, rebooted, its run's process killed; also while it goes back."""

from __future__ import annotations

import signal
import time
from functools import partial

from tests.lab.conftest import Ran
from tests.lab.reliability.bed import Change
from tests.lab.reliability.broken import ends_at_once
from tests.lab.reliability.case import NEW, OLD, Case, Scene, ended
from tests.lab.reliability.moments import AFTER_SWITCH, BEFORE_SWITCH, HEALTHY, MOMENTS
from tests.lab.reliability.watch import Moment, Watcher

GOING_BACK = Moment("rollback", "started")
KILL_RUN = "systemctl kill -s KILL 'tempo-infra-run-*.scope'"


def cut(moment: Moment, scene: Scene) -> Ran:
    return scene.at(moment, lambda _: scene.bed.host.power_cut())


def rebooted(moment: Moment, scene: Scene) -> Ran:
    return scene.at(moment, lambda _: scene.bed.host.reboot())


def process_killed(moment: Moment, scene: Scene) -> Ran:
    """What works on the host is killed, with all that it has started."""
    return scene.at(moment, lambda _: scene.bed.host.must(["sh", "-c", KILL_RUN]))


def killed_going_back_from_healthy(scene: Scene) -> Ran:
    """The operator gives up a change that is healthy, and the process that puts it back is killed."""
    host = scene.bed.host
    with Watcher(host, GOING_BACK) as going_back, Watcher(host, Moment("healthy")) as healthy:
        operator = scene.start()
        assert healthy.seen(operator)
        operator.send_signal(signal.SIGINT)
        time.sleep(0.4)
        healthy.go_on()
        assert going_back.seen(operator)
        host.must(["sh", "-c", KILL_RUN])
        going_back.go_on()
        return ended(operator)


def broken_change() -> Change:
    return Change.new(templates=ends_at_once())


def _after_boot(moment: Moment) -> frozenset[str]:
    if moment.result == "confirmed":
        return frozenset({NEW})
    return frozenset({OLD, NEW} if moment == HEALTHY else {OLD})


def cases() -> list[Case]:
    found = [
        Case("power cut", str(moment), partial(cut, moment), _after_boot(moment), frozenset({1, 3}),
             boots=True)
        for moment in MOMENTS
    ]  # fmt: skip
    found += [
        Case("reboot", str(moment), partial(rebooted, moment), frozenset({OLD, NEW}), boots=True)
        for moment in (Moment("stage"), *AFTER_SWITCH)
    ]
    found += [
        Case("run's process killed", str(moment), partial(process_killed, moment), codes=frozenset({3}))
        for moment in (*BEFORE_SWITCH, *AFTER_SWITCH)
    ]  # fmt: skip
    found += [
        Case("power cut while going back", "rollback begun", partial(cut, GOING_BACK), frozenset({OLD}),
             frozenset({1, 3}), boots=True, change=broken_change, after=Change.new()),
        Case("run's process killed while going back", "rollback begun", partial(process_killed, GOING_BACK),
             frozenset({OLD}), frozenset({3}), change=broken_change, after=Change.new()),
        Case("run's process killed while going back", "rollback begun, from healthy",
             killed_going_back_from_healthy, frozenset({OLD}), frozenset({1, 3})),
    ]  # fmt: skip
    return found
