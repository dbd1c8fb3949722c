"""What hangs: a service that answers a byte at a time, pipes in the data folder, a dead data disk."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial

from tests.lab.conftest import Ran
from tests.lab.reliability import broken
from tests.lab.reliability.bed import Change
from tests.lab.reliability.case import NEW, OLD, Case, Scene, ended
from tests.lab.reliability.machine import Machine, entry
from tests.lab.reliability.moments import HEALTHY
from tests.lab.reliability.watch import Moment, Watcher

DATA = "/srv/tempo"
# A file system that takes every question and answers none, as a dead network mount does: who asks stands in
# the kernel, where no signal reaches it. It ends with its standard input.
STALL = r"""
import ctypes, os, stat, struct, sys, threading
if not os.path.exists("/dev/fuse"):
    os.mknod("/dev/fuse", 0o600 | stat.S_IFCHR, os.makedev(10, 229))
descriptor = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={descriptor},rootmode=40755,user_id=0,group_id=0,allow_other".encode()
library = ctypes.CDLL(None, use_errno=True)
if library.mount(b"stalled", sys.argv[1].encode(), b"fuse", 6, options) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
length, opcode, unique = struct.unpack_from("<IIQ", os.read(descriptor, 1 << 20))
body = struct.pack("<IIIIHHIIHHI7I", 7, 31, 65536, 0, 12, 10, 65536, 1, 0, 0, 0, *[0] * 7)
os.write(descriptor, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)
def take():
    while True:
        os.read(descriptor, 1 << 20)
threading.Thread(target=take, daemon=True).start()
print("stalled", flush=True)
sys.stdin.read()
"""
PIPES = (
    "mkdir -p {data}/postgres && cd {data}/postgres && if [ -d data ]; then cd data; else mkdir global; fi; "
    "for one in PG_VERSION global/pg_control; do "
    "[ ! -e $one ] || mv $one $one.kept; mkfifo $one; done"
)
NO_PIPES = (
    "cd {data}/postgres && if [ -d data ]; then cd data; fi && "
    "for one in PG_VERSION global/pg_control; do rm -f $one; "
    "[ ! -e $one.kept ] || mv $one.kept $one; done; "
    "rmdir global 2>/dev/null; cd / && rmdir {data}/postgres; :"
)


@contextmanager
def stalled(host: Machine) -> Iterator[None]:
    host.must(["mkdir", "-p", DATA])
    pipe = subprocess.PIPE
    words = entry(host, ["python3", "-uc", STALL, DATA])
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as served:
        assert served.stdout is not None
        assert served.stdin is not None
        assert served.stdout.readline() == "stalled\n"
        try:
            yield
        finally:
            served.stdin.close()
            served.wait(20)
            host.must(["umount", "-l", DATA])


@contextmanager
def pipes(host: Machine) -> Iterator[None]:
    host.must(["sh", "-c", PIPES.format(data=DATA)])
    try:
        yield
    finally:
        host.must(["sh", "-c", NO_PIPES.format(data=DATA)])


Fault = Callable[[Machine], AbstractContextManager[None]]


def before(fault: Fault, scene: Scene) -> Ran:
    with fault(scene.bed.host):
        return scene.provision()


def at(fault: Fault, moment: Moment, scene: Scene) -> Ran:
    """From a moment on, until the run has ended and the host has decided."""
    with Watcher(scene.bed.host, moment) as watcher:
        operator = scene.start()
        assert watcher.seen(operator)
        with fault(scene.bed.host):
            watcher.go_on()
            ran = ended(operator)
            scene.bed.decided()
            return ran


def plain(scene: Scene) -> Ran:
    return scene.provision()


def cases() -> list[Case]:
    old, new, failed, fine = frozenset({OLD}), frozenset({NEW}), frozenset({1}), frozenset({0})
    moments = (
        Moment("stage"),
        Moment("arm"),
        Moment("switch", "started"),
        Moment("switch"),
        Moment("up"),
        HEALTHY,
    )
    faults: dict[str, Fault] = {"data disk hangs": stalled, "pipes in the data folder": pipes}
    found = [
        Case("service drips", "healthy", plain, old, failed, says="timed out",
             change=lambda: Change.new(templates=broken.drips()), after=Change.new()),
    ]  # fmt: skip
    for name, fault in faults.items():  # a host without a database: nothing of it needs the folder
        found.append(Case(name, "before the run", partial(before, fault), new, fine))
        found += [Case(name, str(one), partial(at, fault, one), new, fine) for one in moments]
    says = {"data disk hangs": "no answer", "pipes in the data folder": "is a pipe, not a file"}
    full = [
        Case(f"{name}, a database", "before the run", partial(before, fault), old, failed, says=says[name])
        for name, fault in faults.items()
    ]
    full += [
        Case(f"{name}, a database", str(one), partial(at, fault, one), old, failed, says=says[name])
        for name, fault in faults.items()
        for one in (Moment("trial-start"), Moment("arm"), Moment("switch"))
    ]
    return [*found, *(replace(case, bed="full") for case in full)]
