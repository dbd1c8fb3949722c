"""The operator's program: interrupted, ended, killed, suspended; and two operators at once."""

from __future__ import annotations

import signal
import subprocess
import time
from functools import partial

from tests.lab.conftest import Ran
from tests.lab.reliability.bed import Change
from tests.lab.reliability.case import NEW, OLD, Case, Scene, ended
from tests.lab.reliability.moments import AFTER_SWITCH, HEALTHY, MOMENTS, UNARMED
from tests.lab.reliability.watch import Moment, Watcher

KILLED = frozenset({-signal.SIGKILL})


def signalled(moment: Moment, number: signal.Signals, times: int, scene: Scene) -> Ran:
    def send(operator: subprocess.Popen[str]) -> None:
        for _ in range(times):
            operator.send_signal(number)
            time.sleep(0.4)

    return scene.at(moment, send)


def suspended(moment: Moment, scene: Scene) -> Ran:
    """A laptop whose lid is closed: the connection stays, and nothing comes."""
    with Watcher(scene.bed.host, moment) as watcher:
        operator = scene.start()
        assert watcher.seen(operator)
        operator.send_signal(signal.SIGSTOP)
        watcher.go_on()
        scene.bed.decided()
        operator.send_signal(signal.SIGCONT)
        return ended(operator)


def meets(moment: Moment, scene: Scene) -> Ran:
    """A second operator comes at a moment; nothing of theirs happens, and they are told who is at work."""
    other = Change.new()
    with Watcher(scene.bed.host, moment) as watcher:
        operator = scene.start()
        assert watcher.seen(operator)
        second = scene.bed.run("provision", scene.bed.inventory(other))
        watcher.go_on()
        first = ended(operator)
    assert second.code == 1, second.said
    assert "another run is at work" in second.said or "is not over on this host" in second.said, second.said
    assert first.code == 0, first.said
    return first


def waits_for_the_other(moment: Moment, scene: Scene) -> Ran:
    """The second operator has patience, and then finds a host that moved or does its work."""
    with Watcher(scene.bed.host, moment) as watcher:
        operator = scene.start()
        assert watcher.seen(operator)
        second = scene.bed.start(scene.bed.inventory(scene.change), "--lock-wait", "60")
        time.sleep(1.5)
        watcher.go_on()
        first, other = ended(operator), ended(second)
    assert first.code == 0, first.said
    assert other.code in (0, 1), other.said
    assert other.code == 0 or "moved since the plan" in other.said or "is not over" in other.said, other.said
    return first


def cases() -> list[Case]:
    found = []
    for moment in MOMENTS:
        before = moment in UNARMED
        kept = moment.result == "confirmed"
        must = frozenset({OLD} if before else {NEW} if kept else {OLD, NEW})
        for number in (signal.SIGINT, signal.SIGTERM):
            codes = frozenset({0, 1} if kept or moment == HEALTHY else {1})
            outcomes = frozenset({NEW} if kept else {OLD, NEW} if moment == HEALTHY else {OLD})
            send = partial(signalled, moment, number, 1)
            found.append(Case(f"operator {number.name}", str(moment), send, outcomes, codes))
        kill = partial(signalled, moment, signal.SIGKILL, 1)
        found.append(Case("operator SIGKILL", str(moment), kill, must, KILLED))
    found += [
        Case("operator SIGINT twice", str(moment), partial(signalled, moment, signal.SIGINT, 2),
             codes=frozenset({1}))
        for moment in AFTER_SWITCH
    ]  # fmt: skip
    found += [
        Case("operator suspended", str(moment), partial(suspended, moment))
        for moment in (Moment("pull"), Moment("switch"), Moment("up"))
    ]
    found += [  # with the host's lock in hand, and nothing to decide: it takes two minutes
        Case(
            "operator suspended",
            str(moment),
            partial(suspended, moment),
            frozenset({outcome}),
            frozenset({code}),
        )
        for moment, outcome, code in ((Moment("stage"), OLD, 3), (Moment("confirm", "confirmed"), NEW, 0))
    ]
    found += [
        Case("two operators", str(moment), partial(meets, moment), frozenset({NEW}), frozenset({0}),
             decide_after="5m")
        for moment in (Moment("stage"), Moment("arm"), Moment("up"), Moment("healthy"))
    ]  # fmt: skip
    found += [
        Case("two operators, one waits", str(moment), partial(waits_for_the_other, moment), frozenset({NEW}),
             frozenset({0}), decide_after="5m")
        for moment in (Moment("stage"), Moment("up"))
    ]  # fmt: skip
    return found
