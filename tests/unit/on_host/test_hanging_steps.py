"""A step that hangs: its program says so and ends, the lock is free, and the timer hears nothing more."""

from __future__ import annotations

import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import session, snapshot, unattended, undo
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.lock import HostLock, end_holder
from tempo_infra.on_host.serve import HANDLERS
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.speaking import Speaker
from tempo_infra.on_host.steps import change, kinds, reading, upkeep
from tempo_infra.on_host.steps.step import UNDO_S, Step
from tempo_infra.on_host.watch import Watch
from tempo_infra.on_host.wire import Event, Reply, encode, encode_request, read_frame
from tests.unit.on_host.a_host import NEW, OLD, is_whole, make

pytestmark = pytest.mark.thorough

NONCE = "n1"
STEP_S, EVERY_S = 1.0, 0.1
# The real session on its own standard input and output; a step hangs in the way that is named.
PROGRAM = f"""
import os, signal, sys, threading, time
from pathlib import Path
from tempo_infra.on_host import session, watch
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.serve import HANDLERS
from tempo_infra.on_host.shell import run
from tempo_infra.on_host.steps.step import Step
root, how = Path(sys.argv[1]), sys.argv[2]
session.enter_scope = lambda _: True
watch.Watch.__init__.__defaults__ = ({EVERY_S},)

def pipe():
    os.mkfifo(root / "pipe")
    os.open(root / "pipe", os.O_RDONLY)

def deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    time.sleep(600)

def locked():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()

def program():
    (root / "child").write_text(str(os.getpid()))
    run(["sh", "-c", "echo $$ > " + str(root / "child") + "; exec sleep 600"], deadline_s=600)

def unheard():
    os.set_blocking(1, False)
    try:
        while True:
            os.write(1, bytes(4096))
    except BlockingIOError:
        os.set_blocking(1, True)
    while True:
        (root / "work").write_text(str(time.monotonic()))
        time.sleep(0.01)

def still(for_s=0.4):
    time.sleep(for_s)

ways = {{"pipe": pipe, "deaf": deaf, "locked": locked, "program": program, "still": still}}
ways["unheard"] = unheard

class Hang(Step):
    MOST_S = {STEP_S}

handlers = {{**HANDLERS, Hang: lambda *_: ways[how]()}}
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
session.Session(handlers, "{NONCE}", sys.stdin.buffer, sys.stdout.buffer, Layout(root)).serve()
"""
LOCK = change.Lock(run="r1", who="kari@laptop")


class Hang(Step):
    """That of the program above."""


HANGS = [LOCK, Hang(), reading.Clock()]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.state.mkdir(parents=True)
    (tmp_path / "run").mkdir()
    return made


def started(layout: Layout, how: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(layout.root), how], stdin=pipe, stdout=pipe, stderr=pipe
    )


def heard(program: subprocess.Popen[bytes], *steps: Step) -> Iterator[tuple[str, dict[str, Any]]]:
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(encode_request(NONCE, list(steps)))
    program.stdin.flush()
    while frame := read_frame(NONCE, program.stdout.readline, program.stdout.read):
        yield frame[0], frame[1]
        if frame[0] == "reply":
            return


def until_ended(pid: int) -> bool:
    """Wait until a process has ended; it may be there yet for who does not ask how."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


def is_free(layout: Layout) -> bool:
    with layout.lock.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@pytest.mark.parametrize("how", ["pipe", "deaf", "locked", "program"])
def test_a_step_that_hangs_is_left_and_said(layout: Layout, how: str) -> None:
    guard.beat(layout, "r1")
    with started(layout, how) as program:
        said = list(heard(program, *HANGS))
        last = said[-1][1]
        assert (last["failed"], last["left"], last["results"]) == ("hang", True, [])
        assert last["error"] == "not done after 1 s: something on this host hangs"
        assert sum(body.get("state") == "alive" for _, body in said) > 2
        assert program.wait(30) == 1
        assert program.stdin is not None
        program.stdin.close()
    assert is_free(layout)
    entries = [json.loads(line) for line in layout.journal.read_text().splitlines()]
    assert [(one["step"], one["result"]) for one in entries] == [("hang", "failed")]
    assert b"clock" not in layout.journal.read_bytes()  # what follows was not begun
    before = guard.silent_s(layout, "r1")
    time.sleep(0.3)
    assert guard.silent_s(layout, "r1") > before + 0.2  # nobody beats any more
    if how == "program":
        child = int((layout.root / "child").read_text())
        assert until_ended(child)


def test_nobody_has_the_lock_while_a_step_that_is_late_is_still_at_work(layout: Layout) -> None:
    """Its program has last words, which nobody takes: until they are said, the step goes on."""
    with started(layout, "unheard") as program:
        assert program.stdin is not None
        program.stdin.write(encode_request(NONCE, [LOCK, Hang()]))
        program.stdin.flush()
        while not (layout.root / "work").exists():
            time.sleep(0.01)
        assert not is_free(layout)
        while not is_free(layout):
            time.sleep(0.01)
        time.sleep(0.3)
        done = (layout.root / "work").read_bytes()
        time.sleep(0.3)
        assert (layout.root / "work").read_bytes() == done
        assert program.wait(30) == 1
        program.stdin.close()


def test_each_step_has_its_own_time_and_one_in_time_is_left_alone(layout: Layout) -> None:
    """Three steps, together longer than one may take."""
    with started(layout, "still") as program:
        said = list(heard(program, LOCK, *[Hang()] * 4))
        assert said[-1][1]["results"] == [{}, None, None, None, None]
        assert program.stdin is not None
        program.stdin.close()
        assert program.wait(30) == 0


def test_an_operator_who_is_gone_does_not_keep_a_hanging_step(layout: Layout) -> None:
    with started(layout, "deaf") as program:
        assert program.stdin is not None
        program.stdin.write(encode_request(NONCE, HANGS))
        program.stdin.close()
        assert program.stdout is not None
        program.stdout.close()
        assert program.wait(30) == 1
    assert is_free(layout)


def test_a_process_that_stands_still_is_killed_by_who_decides(layout: Layout) -> None:
    """Where systemd gave it no unit of its own: stopped, it can't end itself."""
    with started(layout, "deaf") as program:
        frames = heard(program, *HANGS)
        while next(frames)[1].get("step") != "hang":
            pass
        os.kill(program.pid, signal.SIGSTOP)
        end_holder(layout, "another run")
        assert program.poll() is None
        assert not is_free(layout)
        end_holder(layout, "r1")
        assert program.wait(30) == -signal.SIGKILL
    assert is_free(layout)
    end_holder(layout, "r1")  # nobody has it: nothing to end


def test_only_who_said_so_is_killed(layout: Layout) -> None:
    """`resume`, and the timer itself, hold the lock in the run's name to decide about it."""
    lock = HostLock(layout)
    lock.acquire("r1", "resume")
    end_holder(layout, "r1")
    record = json.loads(layout.lock.read_text())
    layout.lock.write_text(json.dumps({**record, "process": f"{os.getpid()} 1"}))  # a number given again
    end_holder(layout, "r1")
    lock.release()


def test_the_timer_decides_about_a_change_whose_step_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: armed, a step hangs, its program ends; the timer's own program puts the host back."""
    made = make(tmp_path, monkeypatch)
    monkeypatch.setattr(unattended, "end_scope", lambda _: None)
    armed = guard.Armed(
        "r1", "kari", guard.boot_id(made), NEW, OLD, "runs/r1/before", "p.zip", "10.0.0.1", grace_s=3.0
    )
    monkeypatch.setattr(snapshot, "put_back", lambda *_: None)
    guard.beat(made, "r1")
    guard.guard(made, armed)
    decided: list[int] = []
    decides = threading.Thread(target=lambda: decided.append(unattended.deadline(made, "r1")))
    with started(made, "pipe") as program:
        frames = heard(program, *HANGS)
        while next(frames)[1].get("step") != "hang":
            pass
        decides.start()
        time.sleep(STEP_S / 2)
        assert decided == []  # it says that it lives, within its time
        assert list(frames)[-1][1]["left"]
        assert program.stdin is not None
        program.stdin.close()
        program.wait(30)
    decides.join(30)
    assert decided == [0]
    assert is_whole(made) == "old"


def test_who_decides_begins_anew_when_he_hangs_himself(layout: Layout) -> None:
    """His process ends with the lock free; systemd starts it again."""
    words = f"""
import sys, time
from pathlib import Path
from tempo_infra.on_host import unattended, armed, undo, watch
from tempo_infra.on_host.layout import Layout
watch.Watch.__init__.__defaults__ = ({EVERY_S},)
armed.decide_s = lambda _: {STEP_S}
unattended.end_scope = lambda _: None
undo.settle = lambda *_: time.sleep(600)
unattended.deadline(Layout(Path(sys.argv[1])), "r1")
"""
    (layout.root / "proc/sys/kernel/random").mkdir(parents=True)
    (layout.root / "proc/sys/kernel/random/boot_id").write_text("b")
    change = guard.Armed("r1", "kari", "b", NEW, OLD, "x", "p.zip", "10.0.0.1", grace_s=0.1)
    guard.write(layout, change)
    done = subprocess.run(
        [sys.executable, "-c", words, str(layout.root)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        unattended.AGAIN,
        "not decided in 1 s: something hangs; started again\n",
    )
    assert is_free(layout)
    assert guard.open_run(layout, "r1") is not None


def test_a_run_that_goes_on_for_long_is_watched_by_a_new_program(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "WATCH_S", 0.0)
    (layout.root / "proc/sys/kernel/random").mkdir(parents=True)
    (layout.root / "proc/sys/kernel/random/boot_id").write_text("b")
    guard.write(layout, guard.Armed("r1", "k", "b", NEW, OLD, "x", "p.zip", "10.0.0.1", grace_s=0.1))
    guard.beat(layout, "r1")
    assert unattended.deadline(layout, "r1") == unattended.AGAIN


@pytest.mark.parametrize("soak_s", [0.0, 3600.0])
def test_what_the_host_starts_by_itself_has_an_end(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, soak_s: float
) -> None:
    """And one that lets a decision come to its own end first."""
    asked: list[list[str]] = []
    monkeypatch.setattr(guard, "must", lambda words, **_: asked.append(words))
    armed = guard.Armed("r1", "k", "b", NEW, OLD, "x", "p.zip", "10.0.0.1", grace_s=9.0, soak_s=soak_s)
    guard._start_timer(layout, armed)
    texts = guard._units(layout, armed)
    [runtime] = [word for word in asked[0] if word.startswith("--property=RuntimeMaxSec=")]
    decision_s = guard.LOCK_WAIT_S + guard.decide_s(armed)
    assert float(runtime.partition("Sec=")[2].rstrip("s")) > guard.WATCH_S + decision_s
    for name, least_s in ((guard.BOOT_UNIT, 60), (guard.AFTER_UNIT, guard.ADDRESS_S + decision_s)):
        [limit] = [line for line in texts[name].splitlines() if line.startswith("TimeoutStartSec=")]
        assert float(limit.partition("=")[2].rstrip("s")) > least_s
    assert guard.decide_s(armed) >= soak_s + UNDO_S


def test_every_step_has_a_longest_time_and_who_does_it() -> None:
    ours = {kind for kind in kinds().values() if kind is not Hang}
    assert ours == set(HANDLERS)
    assert [kind.name for kind in ours if not 0 < kind.MOST_S < 3600] == []


@pytest.mark.parametrize(
    ("step", "seconds"),
    [
        (reading.Clock(), 20),
        (change.Lock("r", "k", wait_s=600.0), 630),
        (change.Schema(deadline_s=300.0), 1020),
        (upkeep.Drain(services=["history", "ui"]), 920),
        (upkeep.Drain(services=[]), 120),
        (change.Confirm(run="r", why="", soak_s=40.0), 640),
        (reading.Runs(run="r", wait_s=180.0), 240 + UNDO_S),
    ],
)
def test_what_a_steps_arguments_grant_is_added(step: Step, seconds: float) -> None:
    assert step.longest_s == seconds


def test_putting_containers_back_has_an_end(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []
    monkeypatch.setattr(undo, "RESTORE_S", 0.3)
    monkeypatch.setattr(undo, "PAUSE_S", 0.05)

    def once(*_: object) -> str:
        tries.append("again")
        return "the engine hangs"

    monkeypatch.setattr(undo, "_containers_once", once)
    armed = guard.Armed("r1", "k", "b", NEW, None, "x", "p.zip", "10.0.0.1")
    with pytest.raises(StepError, match="the engine hangs"):
        undo._restore_containers(layout, armed, lambda _: None)
    assert 1 < len(tries) < 8


def test_a_watch_tells_what_is_alive_until_it_is_late() -> None:
    told: list[str] = []
    left: list[tuple[str, float]] = []
    with Watch(told.append, lambda *late: left.append(late), every_s=0.02) as watch:
        watch.begin("one", 60.0)
        time.sleep(0.2)
        watch.begin("two", 0.1)
        time.sleep(0.4)
    assert left == [("two", 0.1)]
    assert told[0] == "one"
    assert set(told) <= {"one", "two"}
    count = len(told)
    time.sleep(0.1)
    assert len(told) == count


def full_pipe() -> tuple[int, int]:
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    try:
        while True:
            os.write(writes, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writes, True)
    return reads, writes


def test_an_operator_who_does_not_listen_holds_up_no_step() -> None:
    """Stopped, with his connection open: the pipe to him is full for ever."""
    reads, writes = full_pipe()
    with os.fdopen(reads, "rb"), os.fdopen(writes, "wb") as out:
        speaker = Speaker(NONCE, out)
        began = time.monotonic()
        speaker.alive("up")
        assert time.monotonic() - began < 0.5
        speaker.reply(Reply([1]), wait_s=0.3)
        speaker.event(Event("up", "started"))
        speaker.alive("up")
        assert 0.3 <= time.monotonic() - began < 6
        os.read(reads, 1 << 16)
        speaker.reply(Reply([2]))  # what comes after a part that was dropped is no frame: nothing comes


def test_what_is_said_in_pieces_arrives_whole() -> None:
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb") as source, os.fdopen(writes, "wb") as out:
        told = Reply(["x" * 1_000_000])
        says = threading.Thread(target=Speaker(NONCE, out).reply, args=(told,))
        says.start()
        frame = read_frame(NONCE, source.readline, source.read)
        says.join()
    assert frame is not None
    assert frame[1]["results"] == told.results


def test_an_operator_who_only_says_that_he_lives_keeps_no_change_undecided(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """His program hangs, and a thread of it goes on greeting."""
    monkeypatch.setattr(session, "UNDECIDED_S", 0.3)
    settled: list[str] = []
    monkeypatch.setattr(session.Session, "_settle_alone", lambda self: settled.append(self._run))
    monkeypatch.setattr(session.Session, "_undecided", lambda self: object() if self._run else None)
    reads, writes = os.pipe()
    work = session.Session(HANDLERS, NONCE, os.fdopen(reads, "rb", buffering=0), io.BytesIO(), layout)
    work._run = "r1"
    serves = threading.Thread(target=work._serve)
    monkeypatch.setattr(work, "_wait_at_most", lambda _: None)
    serves.start()
    while serves.is_alive():
        os.write(writes, encode(NONCE, "alive", {}))
        time.sleep(0.05)
    assert settled == ["r1"]
    os.close(writes)
    work._stdin.close()
