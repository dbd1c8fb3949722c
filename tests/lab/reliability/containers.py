"""Containers and the engine: what does not stay up, what does not answer, and an engine that is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from tests.lab.conftest import PROJECT, Ran
from tests.lab.reliability import broken
from tests.lab.reliability.bed import Change
from tests.lab.reliability.case import NEW, OLD, Case, Scene
from tests.lab.reliability.machine import Machine
from tests.lab.reliability.moments import AFTER_SWITCH
from tests.lab.reliability.watch import Moment

STOP = "systemctl stop docker.socket docker.service"
START = "systemctl start docker.socket docker.service"
HANG, GO_ON = "kill -STOP $(pidof dockerd)", "kill -CONT $(pidof dockerd)"
AWAY_S = 6.0
PID = "docker inspect -f '{{.State.Pid}}' $(docker ps -q -f label=com.docker.compose.service=ui)"


def sh(host: Machine, script: str) -> None:
    host.must(["sh", "-c", script])


@contextmanager
def later(seconds: float, act: Callable[[], object]) -> Iterator[None]:
    """Do something while the block goes on; at its end it is done in any case."""
    timer = threading.Timer(seconds, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def plain(scene: Scene) -> Ran:
    return scene.provision()


def engine(moment: Moment, away: str, back: str, scene: Scene) -> Ran:
    """The engine goes away at a moment, and is back some seconds later."""
    host = scene.bed.host
    timers: list[threading.Timer] = []

    def go(_: object) -> None:
        sh(host, away)
        timers.append(threading.Timer(AWAY_S, lambda: sh(host, back)))
        timers[0].start()

    try:
        return scene.at(moment, go)
    finally:
        for timer in timers:
            timer.join()


def engine_before(away: str, back: str, scene: Scene) -> Ran:
    host = scene.bed.host
    sh(host, away)
    try:
        return scene.provision()
    finally:
        sh(host, back)


def crashes_and_restarts(scene: Scene) -> Ran:
    """Its process ends by itself after it was found healthy, and Docker starts it again at once."""

    def crash(_: object) -> None:
        sh(scene.bed.host, f"kill -9 $({PID})")
        time.sleep(1.5)

    return scene.at(Moment("healthy"), crash)


def stopped_by_hand(scene: Scene) -> Ran:
    words = ["docker", "stop", "-t", "1"]
    label = "label=com.docker.compose.service=ui"

    def stop(_: object) -> None:
        scene.bed.host.must([*words, *scene.bed.host.must(["docker", "ps", "-q", "-f", label]).split()])

    return scene.at(Moment("healthy"), stop)


def held(scene: Scene) -> Ran:
    """Left for a person to look at; the next run goes on from there."""
    before = scene.bed.look()["current"]
    ran = scene.provision("--on-failure", "hold")
    assert scene.bed.look()["current"] != before
    units = scene.bed.host.exec(["systemctl", "is-active", "tempo-infra-boot.service"])
    assert units.returncode != 0
    scene.bed.provision(scene.bed.now)
    return ran


def pruned_at(moment: Moment, scene: Scene) -> Ran:
    """Someone frees space: images, stopped containers, networks, all that nothing uses."""
    return scene.at(moment, lambda _: scene.bed.host.must(["docker", "system", "prune", "-af"]))


def downed_by_hand(moment: Moment, scene: Scene) -> Ran:
    """Someone takes our containers away in the middle."""
    words = f"docker rm -f $(docker ps -aq -f {PROJECT})"
    return scene.at(moment, lambda _: scene.bed.host.exec(["sh", "-c", words]))


def misbehaving(templates: tuple[tuple[str, str], ...]) -> Callable[[], Change]:
    return lambda: Change.new(templates=templates)


def cases() -> list[Case]:
    old, failed = frozenset({OLD}), frozenset({1})
    found = [
        Case("container ends at once", "up", plain, old, failed, change=misbehaving(broken.ends_at_once()),
             after=Change.new(), soak="8s"),
        Case("container ends at once, --on-failure hold", "up", held, old, failed, says="held on",
             change=misbehaving(broken.ends_at_once()), after=Change.new()),
        Case("container never answers", "healthy", plain, old, failed,
             change=misbehaving(broken.listens_to_nobody()), after=Change.new()),
        Case("container dies after 6 s", "soak of 12 s", plain, old, failed,
             change=misbehaving(broken.dies_after(6)), after=Change.new(), soak="12s"),
        Case("container dies after 30 s", "soak of 40 s", plain, old, failed,
             change=misbehaving(broken.dies_after(30)), after=Change.new(), soak="40s"),
        Case("container crashes and restarts", "healthy ended", crashes_and_restarts, old, failed),
        Case("container stopped by hand", "healthy ended", stopped_by_hand, old, failed),
    ]  # fmt: skip
    found += [
        Case("our containers removed by hand", str(moment), partial(downed_by_hand, moment))
        for moment in (Moment("arm"), Moment("switch"), Moment("up"), Moment("healthy"))
    ]
    found += [
        Case(
            "docker system prune -af",
            str(moment),
            partial(pruned_at, moment),
            frozenset({NEW}),
            frozenset({0}),
        )
        for moment in (Moment("stage"), Moment("pull"), *AFTER_SWITCH)
    ]
    found += [
        Case("engine stopped", str(moment), partial(engine, moment, STOP, START), boots=True,
             decide_after="1m")
        for moment in (Moment("stage"), Moment("pull"), Moment("arm"), *AFTER_SWITCH)
    ]  # fmt: skip
    found += [
        Case("engine hung", str(moment), partial(engine, moment, HANG, GO_ON), decide_after="1m")
        for moment in (Moment("stage"), Moment("arm"), Moment("switch"), Moment("up"), Moment("healthy"))
    ]
    found += [
        Case("engine stopped", "before the run", partial(engine_before, STOP, START), old, failed, boots=True,
             says="Docker"),
    ]  # fmt: skip
    return found
