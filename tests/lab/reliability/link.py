"""The link: cut by bytes and by step, silent, slow, hanging, noisy; sshd restarted or killed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal

from lab.relay import Cut, Relay
from tests.lab import invariants
from tests.lab.conftest import Ran
from tests.lab.reliability.case import NEW, OLD, Case, Scene, ended
from tests.lab.reliability.moments import AFTER_SWITCH, MOMENTS, UNARMED
from tests.lab.reliability.watch import Moment, Watcher

UP_BYTES, DOWN_BYTES, CUTS = 15_000, 14_000, 8  # somewhat more than a run of the light bed sends and receives
BASHRC = "/home/deploy/.bashrc"
ASKED_S = 2.0  # enough for `resume` to have asked the host


def _relay(scene: Scene, cut: Cut | None = None, rate: float = 0) -> Relay:
    return Relay(scene.bed.host.ssh_address, scene.bed.host.ssh_port, cut=cut, rate_bytes_s=rate)


def cut_at(moment: Moment, how: Literal["rst", "fin"], scene: Scene) -> Ran:
    with _relay(scene) as relay:
        return scene.at(moment, lambda _: relay.break_all(how), relay)


def cut_after(count: int, direction: Literal["up", "down"], scene: Scene) -> Ran:
    with _relay(scene, Cut(count, direction)) as relay:
        return scene.provision(relay=relay)


def silent_at(moment: Moment, scene: Scene) -> Ran:
    """Nothing comes through any more, and nobody is told."""
    with _relay(scene) as relay:
        return scene.at(moment, lambda _: setattr(relay, "silent", True), relay)


def sshd_restarted(moment: Moment, scene: Scene) -> Ran:
    return scene.at(moment, lambda _: scene.bed.host.must(["systemctl", "restart", "ssh"]))


def sshd_killed(moment: Moment, scene: Scene) -> Ran:
    """With every login, and it comes back."""
    words = "pkill -KILL sshd; pkill -KILL sshd-session; systemctl restart ssh"
    return scene.at(moment, lambda _: scene.bed.host.exec(["sh", "-c", words]))


def login_ended(moment: Moment, scene: Scene) -> Ran:
    """What systemd would end with the operator's login is ended."""
    return scene.at(moment, lambda _: scene.bed.host.exec(["loginctl", "terminate-user", "deploy"]))


def slow(scene: Scene) -> Ran:
    with _relay(scene, rate=1000) as relay:
        return scene.provision(relay=relay)


def hanging_login(scene: Scene) -> Ran:
    """The server greets, and then says nothing."""
    with _relay(scene, Cut(700, "up", "hang")) as relay:
        return scene.provision(relay=relay)


@contextmanager
def bashrc(scene: Scene, text: str) -> Iterator[None]:
    host = scene.bed.host
    host.must(["sh", "-c", f"cp -a {BASHRC} {BASHRC}.kept 2>/dev/null || :"])
    host.must(["tee", BASHRC], input=text)
    try:
        yield
    finally:
        host.must(["sh", "-c", f"mv {BASHRC}.kept {BASHRC} 2>/dev/null || rm -f {BASHRC}"])


def shell_does(text: str, scene: Scene) -> Ran:
    with bashrc(scene, text):
        return scene.provision()


def away_and_back(moment: Moment, scene: Scene, *, at_once: bool = False) -> Ran:
    """Cut, and the operator asks how it ended: `resume` reads it from the host, and runs nothing again.

    `at_once`: while the run's process still stands still, so before the host has noticed anything.
    """
    bed = scene.bed
    with _relay(scene) as relay, Watcher(bed.host, moment) as watcher:
        operator = scene.start(relay)
        assert watcher.seen(operator)
        run = _run_at_work(scene)
        relay.break_all()
        if not at_once:
            watcher.go_on()
        ran = ended(operator)
        assert moment not in AFTER_SWITCH or re.search(rf"resume -i \S+ {run}", ran.said), ran.said
        asking = bed.start(bed.inventory(scene.change), word=f"resume {run}")
        if at_once:
            time.sleep(ASKED_S)
            watcher.go_on()
        asked = ended(asking)
    _is_true(scene, asked)
    return ran


def _run_at_work(scene: Scene) -> str:
    """Return the run that has the host's lock."""
    record = json.loads(scene.bed.host.must(["cat", "/var/lib/tempo-infra/lock"]))
    return str(record["run"])


def _is_true(scene: Scene, asked: Ran) -> None:
    """What `resume` says is what the host is, and nothing of the run is at work any more once it says so."""
    seen = scene.bed.look()
    assert invariants.wrong_with(seen, scene.bed.rows, settled=False) == [], asked.said
    current = invariants.generation(seen)[:12]
    told = [f"confirmed {current}", f"rolled back to {current}", "was not switched"]
    said = [words for words in told if words in asked.said]
    assert len(said) == 1, (current, asked.said)
    assert asked.code == (0 if said == told[:1] else 1), asked.said


def waits(seconds: float, act: Callable[[], object]) -> None:
    time.sleep(seconds)
    act()


def cases() -> list[Case]:
    found = []
    for moment in MOMENTS:
        must = {OLD} if moment in UNARMED else {OLD, NEW}
        found.append(
            Case("connection reset", str(moment), partial(cut_at, moment, "rst"), frozenset(must))
        )  # fmt: skip
    found += [
        Case("connection closed", str(moment), partial(cut_at, moment, "fin"))
        for moment in MOMENTS if moment.step in ("stage", "arm", "switch", "up", "healthy")
    ]  # fmt: skip
    for number in range(1, CUTS + 1):
        count = UP_BYTES * number // (CUTS + 1)
        found.append(Case("connection cut, upwards", f"after {count} bytes", partial(cut_after, count, "up")))
    for number in range(1, CUTS + 1):
        count = DOWN_BYTES * number // (CUTS + 1)
        found.append(
            Case("connection cut, downwards", f"after {count} bytes", partial(cut_after, count, "down"))
        )
    found += [
        Case("connection silent", str(moment), partial(silent_at, moment))
        for moment in (Moment("stage"), Moment("arm"), Moment("switch"), Moment("healthy"))
    ]
    found += [
        Case("sshd restarted", str(moment), partial(sshd_restarted, moment), frozenset({NEW}), frozenset({0}))
        for moment in (Moment("stage"), Moment("arm"), Moment("switch"), Moment("healthy"))
    ]
    found += [
        Case("sshd killed with every login", str(moment), partial(sshd_killed, moment))
        for moment in (Moment("pull"), Moment("switch"), Moment("up"))
    ]
    found += [
        Case("login ended by systemd", str(moment), partial(login_ended, moment))
        for moment in (Moment("switch"), Moment("healthy"))
    ]
    found += [
        Case("cut, then `resume`", str(moment), partial(away_and_back, moment), codes=frozenset({3}))
        for moment in AFTER_SWITCH
    ]
    found += [
        Case("cut, `resume` at once", str(moment), partial(away_and_back, moment, at_once=True),
             codes=frozenset({3}), decide_after="30s")
        for moment in (Moment("pull"), *AFTER_SWITCH, Moment("confirm", "confirmed"))
    ]  # fmt: skip
    found += [
        Case("link of 1 kB/s", "whole run", slow, frozenset({NEW}), frozenset({0})),
        Case("login hangs", "before the run", hanging_login, frozenset({OLD}), frozenset({3})),
        Case(".bashrc sleeps 5 s", "whole run", partial(shell_does, "sleep 5\n"), frozenset({NEW})),
        Case(".bashrc prints", "whole run", partial(shell_does, "echo welcome; echo '{}' >&2\n"),
             frozenset({NEW})),
        Case(".bashrc sleeps for ever", "before the run", partial(shell_does, "sleep infinity\n"),
             frozenset({OLD}), frozenset({3})),
        Case(".bashrc floods", "before the run", partial(shell_does, "yes welcome\n"), frozenset({OLD}),
             frozenset({3})),
    ]  # fmt: skip
    return found
