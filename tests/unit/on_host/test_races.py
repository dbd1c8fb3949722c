"""Several who could decide about one change: the run's process, the timer, `resume`, a person's `rollback`.

A host as in a_host.py. What another process does meanwhile is done here at the instant at which it counts.
"""

from __future__ import annotations

import io
import json
import os
import threading
import time
from pathlib import Path

import pytest

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import arming, manifest, runs, session, unattended, undo
from tempo_infra.on_host.generation import switch
from tempo_infra.on_host.journal import Entry, entries, record, was_kept
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.lock import HostLock
from tempo_infra.on_host.runs import read_runs
from tempo_infra.on_host.serve import HANDLERS
from tempo_infra.on_host.session import Session
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change, reading
from tempo_infra.on_host.wire import encode_request
from tests.unit.on_host.a_host import NEW, OLD, Start, boot, is_whole, make, state
from tests.unit.on_host.test_cut_at_every_write import MANY, changed, cut_before

pytestmark = pytest.mark.thorough

RUN = "r1"


class Killed(BaseException):
    """The process ends here, without any clean-up."""


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(unattended, "end_scope", lambda _: None)
    monkeypatch.setattr(runs, "end_scope", lambda _: None)
    return make(tmp_path, monkeypatch)


def switched(layout: Layout, grace_s: float = 0.0) -> guard.Armed:
    arm = change.Arm(RUN, "someone", NEW, OLD, "10.0.0.1", [], grace_s=grace_s)
    arming.arm(layout, arm)
    record(layout, Entry(RUN, "switch", "started", NEW))
    switch(layout, change.Switch(NEW, {}))
    return found(layout)


def healthy(layout: Layout, grace_s: float = 0.0) -> guard.Armed:
    switched(layout, grace_s)
    arming.healthy(layout, change.Healthy(RUN))
    return found(layout)


def found(layout: Layout) -> guard.Armed:
    armed = guard.read(layout)
    assert armed is not None
    return armed


def words(layout: Layout) -> list[str]:
    return [e.result for e in entries(layout) if e.run == RUN and e.step in ("confirm", "rollback", "hold")]


def test_a_process_killed_at_every_change_of_the_file_system_and_the_timer_decides(
    layout: Layout, tmp_path: Path
) -> None:
    start, seen, number = Start(tmp_path), [], 1
    while cut_before(number, lambda: changed(layout)):
        if (armed := guard.read(layout)) is not None:
            guard.end_signs(layout, armed.run)  # its grace is over
        unattended.deadline(layout, RUN)
        seen.append(is_whole(layout))
        start.again()
        number += 1
    assert number > MANY
    assert seen == sorted(seen, reverse=True), "new only from healthy on"


def test_going_back_from_healthy_is_finished_by_whoever_comes_after_wherever_it_was_cut(
    layout: Layout, tmp_path: Path
) -> None:
    """Its new containers are still healthy while its files are those of before: that is nothing to keep."""
    healthy(layout)
    start, seen, number = Start(tmp_path), [], 1
    while cut_before(number, lambda: undo.failed(layout, found(layout), "another host failed")):
        guard.end_signs(layout, RUN)
        unattended.deadline(layout, RUN)
        seen.append(is_whole(layout))
        start.again()
        number += 1
    assert seen == sorted(seen), "old from the first file on"
    assert seen[-1] == "old"
    assert number > MANY / 3


def test_resume_decides_nothing_on_what_it_read_before_somebody_else_did(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host ends the run while `resume` looks: its sign of life is gone, and the timer is not late."""
    healthy(layout)

    def ends_meanwhile(_: Layout, __: str) -> float:
        if guard.read(layout) is not None:
            undo.roll_back(layout, found(layout), "by the run's own process")
        return float("inf")

    monkeypatch.setattr(guard, "silent_s", ends_meanwhile)
    told = read_runs(layout, reading.Runs(RUN, wait_s=5.0))
    assert words(layout) == ["started", "rolled back"]
    assert (told.open_run, told.last_good) == ("", OLD)
    assert is_whole(layout) == "old"


def test_resume_waits_while_whoever_decides_has_the_lock(layout: Layout) -> None:
    """A rollback takes minutes where Docker is slow, and its grace and the timer's are long over."""
    switched(layout)
    guard.end_signs(layout, RUN)
    lock = HostLock(layout)
    lock.acquire(RUN, "the host itself")

    def decide() -> None:
        undo.roll_back(layout, found(layout), "slowly")
        time.sleep(1.2)  # takes the rest of the guard away
        lock.release()

    timer = threading.Timer(0.5, decide)
    timer.start()
    told = read_runs(layout, reading.Runs(RUN, wait_s=20.0))
    assert (told.open_run, told.at_work) == ("", "")
    assert words(layout) == ["started", "rolled back"]
    timer.join()


def test_resume_waits_for_a_run_that_is_at_work_and_not_armed_yet(layout: Layout) -> None:
    """The operator's last request arrived whole; the link went right after that."""
    lock = HostLock(layout)
    lock.acquire(RUN, "someone")

    def go_on() -> None:
        changed(layout)
        lock.release()

    timer = threading.Timer(0.7, go_on)
    timer.start()
    told = read_runs(layout, reading.Runs(RUN, wait_s=20.0))
    timer.join()
    assert [entry.result for entry in told.entries][-1] == "confirmed"
    lock.acquire(RUN, "someone")
    assert read_runs(layout, reading.Runs(RUN)).at_work == RUN


def test_resume_decides_where_the_timer_is_gone(layout: Layout) -> None:
    healthy(layout)
    guard.end_signs(layout, RUN)
    read_runs(layout, reading.Runs(RUN, wait_s=20.0))
    assert words(layout) == ["confirmed"]
    assert is_whole(layout) == "new"


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files can be put back, containers can't."""

    def refuses(*_: object) -> str:
        raise StepError("no engine")

    monkeypatch.setattr(undo, "_restore_containers", refuses)


@pytest.mark.usefixtures("no_engine")
def test_what_resume_could_not_put_back_is_in_its_answer(layout: Layout) -> None:
    switched(layout)
    guard.end_signs(layout, RUN)
    told = read_runs(layout, reading.Runs(RUN, wait_s=20.0))
    assert told.phase == "failed"
    assert words(layout) == ["started", "failed"]


@pytest.mark.usefixtures("no_engine")
def test_a_rollback_that_was_ordered_and_failed_needs_a_person(layout: Layout) -> None:
    """As one after this host's own failure does: exit code 5, and what the host is now."""
    switched(layout)
    work = Session(HANDLERS, "n", io.BytesIO(), io.BytesIO(), layout)
    work._run = RUN
    reply = work._do([change.Rollback(run=RUN, why="another host failed")])
    assert (reply.needs_person, reply.now) == (True, "the rollback failed: no engine")
    assert "docker compose -f" in reply.remedy
    assert words(layout) == ["started", "failed"]


def test_the_timer_ends_no_process_that_has_just_decided(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed = healthy(layout)
    ended: list[str] = []
    monkeypatch.setattr(unattended, "end_scope", ended.append)

    def decides_meanwhile(_: Layout, __: str) -> float:
        undo.confirm(layout, armed, "health")
        return float("inf")

    monkeypatch.setattr(guard, "silent_s", decides_meanwhile)
    assert unattended.deadline(layout, RUN) == 0
    assert ended == []
    assert is_whole(layout) == "new"


def test_a_sign_of_life_that_a_killed_process_left_goes_with_who_killed_it(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was ended between taking its record away and its sign of life."""
    healthy(layout)

    def too_late(_: str) -> None:
        record(layout, Entry(RUN, "confirm", "confirmed", NEW))
        layout.armed.unlink()

    monkeypatch.setattr(unattended, "end_scope", too_late)
    guard.beat(layout, RUN)
    monkeypatch.setattr(guard, "silent_s", lambda *_: 9.0)
    assert unattended.deadline(layout, RUN) == 0
    assert list((layout.root / "run").iterdir()) == []


def test_a_late_request_is_a_sign_of_life(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever carries it out must not be ended by the timer in its first seconds."""
    switched(layout, grace_s=60.0)
    guard.heartbeat(layout, RUN).write_text("0")
    work = Session(HANDLERS, "n", io.BytesIO(encode_request("n", [reading.Clock()])), io.BytesIO(), layout)
    work._run = RUN
    frame = work._next_frame
    seen: list[float] = []

    def noted() -> object:
        seen.append(guard.silent_s(layout, RUN))
        return frame()

    monkeypatch.setattr(work, "_next_frame", noted)
    monkeypatch.setattr(work, "_settle_alone", lambda: None)  # the test's input ends
    work.serve()
    assert seen[0] > seen[1]


@pytest.mark.parametrize(("is_healthy", "ends"), [(True, "new"), (False, "old")])
def test_a_silent_operator_whose_timer_does_not_come_is_decided_about(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, *, is_healthy: bool, ends: str
) -> None:
    """The timer can't end a process that systemd would not move into its scope: it waits for the lock."""
    (healthy if is_healthy else switched)(layout, grace_s=0.1)
    monkeypatch.setattr(session, "SILENT_S", 0.2)
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb") as said, os.fdopen(writes, "wb", buffering=0) as operator:
        operator.write(encode_request("n", [change.Lock(run=RUN, who="someone")]))
        Session(HANDLERS, "n", said, io.BytesIO(), layout).serve()
    assert is_whole(layout) == ends
    assert "nothing was heard of the operator for 0.3 s" in entries(layout)[-1].detail


def test_what_was_confirmed_stays_although_its_guard_could_not_be_taken_away(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a step that fails after the confirmation nor an order from the operator undoes it."""
    healthy(layout)
    with monkeypatch.context() as patch:
        patch.setattr(guard, "remove_file", _refuse)
        with pytest.raises(OSError, match="out of order"):
            arming.confirm(layout, change.Confirm(RUN, "health"))
    assert was_kept(layout, RUN)
    assert arming.rollback(layout, change.Rollback(RUN, "another host failed"), print) == {
        "now": f"confirmed: {NEW[:12]}"
    }
    assert is_whole(layout) == "new"


def test_a_rebooted_host_keeps_what_was_confirmed_although_its_guard_was_left(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy(layout)
    record(layout, Entry(RUN, "confirm", "confirmed", NEW))
    boot(layout.root, "boot-2")
    with monkeypatch.context() as patch:
        patch.setattr(guard, "remove_file", _refuse)
        with pytest.raises(OSError, match="out of order"):
            unattended.boot(layout)
    unattended.after_boot(layout)
    assert is_whole(layout) == "new"


def _refuse(*_: object) -> None:
    raise OSError("out of order")


def test_a_systemd_that_does_not_answer_undoes_no_confirmation(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy(layout)

    def hangs(*_: object, **__: object) -> None:
        raise StepError("`systemctl stop` gave no answer in 20 s")

    monkeypatch.setattr(guard, "run", hangs)
    assert undo.settle(layout, found(layout), "the connection was lost") == f"confirmed: {NEW[:12]}"
    assert words(layout) == ["confirmed"]
    assert is_whole(layout) == "new"


def test_a_healthy_change_whose_generation_is_gone_goes_back(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed = healthy(layout)
    (layout.generations / NEW / "manifest.json").unlink()
    monkeypatch.setattr(undo, "check_health", lambda la, _, one, **__: manifest.of_generation(la, one))
    undo.settle(layout, armed, "the connection was lost")
    assert is_whole(layout) == "old"


@pytest.mark.parametrize("at", ["record", "enter"])
def test_held_is_in_the_journal_whenever_the_host_is_held(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Else `resume` would say that the run was not switched."""
    switched(layout)
    body = json.loads(layout.armed.read_text())
    layout.armed.write_text(json.dumps({**body, "on_failure": "hold"}))

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(undo if at == "record" else guard, at, killed)
        with pytest.raises(Killed):
            undo.failed(layout, found(layout), "serving: no")
    guard.end_signs(layout, RUN)
    unattended.deadline(layout, RUN)
    assert found(layout).phase == "held"
    assert words(layout)[-1] == "held"


def test_without_a_journal_a_failed_change_goes_back_to_what_was_current(layout: Layout) -> None:
    layout.journal.unlink()
    armed = switched(layout)
    assert armed.previous == OLD
    undo.failed(layout, armed, "serving: no")
    assert state(layout) == "old"


def test_a_change_on_top_of_a_held_one_goes_back_whole(layout: Layout) -> None:
    """A file that only the later one brings is not known from before the first."""
    held = switched(layout)
    record(layout, Entry(RUN, "hold", "held", NEW))
    guard.disarm(layout, guard.enter(layout, held, "held"), keep_record=True)
    third, added = "c" * 64, "etc/tmpfiles.d/60-tempo-infra.conf"
    folder = layout.generations / third
    manifest = json.loads((layout.generations / NEW / "manifest.json").read_text())
    for path in (*manifest["files"], added):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("third")
    entry = {"sha256": "0" * 64, "mode": "0644"}
    (folder / "manifest.json").write_text(
        json.dumps({"files": dict.fromkeys([*manifest["files"], added], entry), "services": {}})
    )
    (folder / "docker-compose.yml").write_text("services: {}\n")
    arming.arm(layout, change.Arm("r2", "someone", third, NEW, "10.0.0.1", []))
    record(layout, Entry("r2", "switch", "started", third))
    switch(layout, change.Switch(third, {}))
    assert (layout.root / added).read_text() == "third"
    undo.failed(layout, found(layout), "serving: no")
    assert not (layout.root / added).exists()
    assert is_whole(layout) == "old"


def test_a_record_that_a_later_version_wrote_is_read_and_a_damaged_one_is_told(layout: Layout) -> None:
    switched(layout)
    body = json.loads(layout.armed.read_text())
    layout.armed.write_text(json.dumps({**body, "colour": "blue"}))
    assert found(layout).run == RUN
    layout.armed.write_text("{")
    with pytest.raises(StepError, match="can't be read, so nobody may decide"):
        read_runs(layout, reading.Runs(RUN))
    reply = Session(HANDLERS, "n", io.BytesIO(), io.BytesIO(), layout)._do([reading.Runs(run=RUN)])
    assert "armed.json can't be read" in reply.error


def test_after_a_boot_the_host_waits_for_its_address_before_it_decides(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VPN may bring it minutes later; nothing can be published there before, and every try would fail."""
    switched(layout)
    boot(layout.root, "boot-2")
    unattended.boot(layout)
    up = [["127.0.0.1"], ["127.0.0.1"], ["127.0.0.1", "10.0.0.1"]]
    monkeypatch.setattr(unattended, "ADDRESS_AGAIN_S", 0.0)
    monkeypatch.setattr(unattended, "addresses", lambda: up.pop(0))
    monkeypatch.setattr(undo, "_containers_once", lambda *_: "" if not up else "can't assign the address")
    assert unattended.after_boot(layout) == 0
    assert up == []
    assert is_whole(layout) == "old"


def test_after_a_boot_the_host_does_not_wait_for_an_address_for_ever(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched(layout)
    boot(layout.root, "boot-2")
    monkeypatch.setattr(guard, "ADDRESS_S", 0.0)
    monkeypatch.setattr(unattended, "addresses", list)
    assert unattended.after_boot(layout) == 0
    assert is_whole(layout) == "old"


def test_after_a_boot_the_host_tries_again_until_it_could_decide(layout: Layout) -> None:
    """The timer of before is gone: a lock that is held, or a full disk, must not be the end of it."""
    switched(layout)
    unit = (layout.root / "etc/systemd/system" / guard.AFTER_UNIT).read_text()
    assert "Restart=on-failure\n" in unit.partition("[Service]")[2]
