"""Disks: full, out of inodes, read-only, failing fsync; of our state, of Docker, of /etc."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lab.hosts import Host
from lab.process import run
from tests.lab.conftest import Ran
from tests.lab.reliability.case import OLD, Case, Scene, ended
from tests.lab.reliability.machine import Machine
from tests.lab.reliability.watch import Moment, Watcher

STATE, ASIDE = "/var/lib/tempo-infra", "/mnt/state"
SYSCTL_D = "/etc/sysctl.d"
CONTAINERS = "/var/lib/docker/containers"
# A file system of its own holds the state: made from what is there, and copied back in the end.
OWN = (
    "mkdir -p {aside} && mount -t tmpfs -o {options} tmpfs {aside} && cp -a {state}/. {aside}/ "
    "&& mount --bind {aside} {state}"
)
BACK = (
    "umount -l {state}; find {state} -mindepth 1 -delete; cp -a {aside}/. {state}/; "
    "umount -l {aside}; rmdir {aside}"
)
FILL = (
    "fallocate -l $(($(df --output=avail -k {at} | tail -1) - 64))K {at}/fill; "
    "dd if=/dev/zero of={at}/fill2 bs=1k; :"
)
MANY = (
    'mkdir {at}/fill && python3 -c "import itertools\n'
    "for number in itertools.count(): open('{at}/fill/%d' % number, 'w').close()\" 2>/dev/null; :"
)
RELEASE = "rm -rf {at}/fill {at}/fill2"
SHIM = "/usr/local/lib/slowfsync.so"


@contextmanager
def own_file_system(host: Machine, options: str) -> Iterator[None]:
    host.must(["sh", "-c", OWN.format(aside=ASIDE, state=STATE, options=options)])
    try:
        yield
    finally:
        host.must(["sh", "-c", RELEASE.format(at=STATE)])
        host.must(["sh", "-c", BACK.format(aside=ASIDE, state=STATE)])


def full_at(moment: Moment, options: str, fill: str, scene: Scene) -> Ran:
    """Not a byte is left from this moment on; the host decides all the same, before there is room again."""
    host = scene.bed.host
    with own_file_system(host, options):
        ran = scene.at(moment, lambda _: host.must(["sh", "-c", fill.format(at=STATE)], timeout=120))
        scene.bed.decided()
        return ran


def full_before(options: str, fill: str, scene: Scene) -> Ran:
    host = scene.bed.host
    with own_file_system(host, options):
        host.must(["sh", "-c", fill.format(at=STATE)], timeout=120)
        return scene.provision()


@contextmanager
def read_only(host: Machine, directory: str) -> Iterator[None]:
    host.must(["mount", "--bind", directory, directory])
    host.must(["mount", "-o", "remount,bind,ro", directory])
    try:
        yield
    finally:
        host.must(["umount", "-l", directory])


def read_only_before(directory: str, scene: Scene) -> Ran:
    with read_only(scene.bed.host, directory):
        return scene.provision()


def read_only_at(moment: Moment, directory: str, scene: Scene) -> Ran:
    """Until the run has ended; then the host can put back what it has to."""
    host = scene.bed.host
    with Watcher(host, moment) as watcher:
        operator = scene.start()
        assert watcher.seen(operator)
        with read_only(host, directory):
            watcher.go_on()
            return ended(operator)


def docker_full_at(moment: Moment, scene: Scene) -> Ran:
    """Docker can't make a container any more: the folder where it would is a full file system."""
    host = scene.bed.host
    fill = f"mount -t tmpfs -o size=64k tmpfs {CONTAINERS} && (dd if=/dev/zero of={CONTAINERS}/fill bs=1k; :)"
    with Watcher(host, moment) as watcher:
        operator = scene.start()
        assert watcher.seen(operator)
        host.must(["sh", "-c", fill])
        watcher.go_on()
        try:
            for _ in range(12):
                if operator.poll() is not None or _going_back(host):
                    break
                host.exec(["sleep", "1"])
        finally:
            host.must(["umount", "-l", CONTAINERS])
        return ended(operator)


def _going_back(host: Machine) -> bool:
    words = ["sh", "-c", f"tail -n 2 {STATE}/journal.jsonl | grep -q '\"failed\"'"]
    return host.exec(words).returncode == 0


@contextmanager
def failing_fsync(host: Machine) -> Iterator[None]:
    """Each program that starts from now on gets EIO from fsync."""
    if host.exec(["test", "-e", SHIM]).returncode != 0:
        _bring_shim(host)
    host.must(["sh", "-c", f"echo {SHIM} > /etc/ld.so.preload"])
    try:
        yield
    finally:
        host.must(["sh", "-c", "rm -f /tmp/slow-fsync-ms; : > /etc/ld.so.preload"])


def _bring_shim(host: Machine) -> None:
    """The lab's postgres image has it; it goes by way of this machine."""
    image = run(["docker", "images", "-q", "tempo-infra-lab/postgres"]).stdout.split()[0]
    id_ = run(["docker", "create", image]).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        run(["docker", "cp", f"{id_}:{SHIM}", folder])
        run(["docker", "rm", id_])
        assert isinstance(host, Host)
        run(["docker", "cp", f"{folder}/{Path(SHIM).name}", f"{host.container}:{SHIM}"])


def eio_at(moment: Moment, scene: Scene) -> Ran:
    host = scene.bed.host
    with failing_fsync(host):
        ran = scene.at(moment, lambda _: host.must(["sh", "-c", "echo eio > /tmp/slow-fsync-ms"]))
        host.must(["rm", "-f", "/tmp/slow-fsync-ms"])
        return ran


def eio_before(scene: Scene) -> Ran:
    host = scene.bed.host
    with failing_fsync(host):
        host.must(["sh", "-c", "echo eio > /tmp/slow-fsync-ms"])
        ran = scene.provision()
        host.must(["rm", "-f", "/tmp/slow-fsync-ms"])
        return ran


SIZE, INODES = "size=600m", "size=800m,nr_inodes=3000"


def cases() -> list[Case]:
    old, failed = frozenset({OLD}), frozenset({1})
    steps = (Moment("stage"), Moment("pull"), Moment("arm"), Moment("switch", "started"), Moment("switch"),
             Moment("up"), Moment("healthy"))  # fmt: skip
    found = [
        Case("state disk full", str(moment), partial(full_at, moment, SIZE, FILL), codes=frozenset({0, 1}))
        for moment in steps
    ]  # fmt: skip
    found += [
        Case("state disk full", "before the run", partial(full_before, SIZE, FILL), old, failed, says="MiB"),
        Case("no inodes", "before the run", partial(full_before, INODES, MANY), old, failed, says="inodes"),
    ]
    found += [
        Case("no inodes", str(moment), partial(full_at, moment, INODES, MANY), codes=frozenset({0, 1}))
        for moment in (Moment("stage"), Moment("arm"), Moment("switch"), Moment("healthy"))
    ]
    found += [
        Case("state read-only", "before the run", partial(read_only_before, STATE), old, failed),
        Case("/etc/sysctl.d read-only", "before the run", partial(read_only_before, SYSCTL_D), old, failed),
    ]
    found += [
        Case("/etc/sysctl.d read-only", str(moment), partial(read_only_at, moment, SYSCTL_D), old, failed)
        for moment in (Moment("stage"), Moment("arm"), Moment("switch", "started"))
    ]
    found += [
        Case("Docker's disk full", str(moment), partial(docker_full_at, moment), codes=frozenset({0, 1}))
        for moment in (Moment("arm"), Moment("switch"))
    ]
    found += [
        Case("fsync fails (EIO)", "before the run", eio_before, old, failed),
        *(
            Case("fsync fails (EIO)", str(moment), partial(eio_at, moment), codes=frozenset({0, 1, 5}))
            for moment in (Moment("stage"), Moment("arm"), Moment("switch"), Moment("healthy"))
        ),
    ]
    return found
