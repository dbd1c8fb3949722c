"""The machine's Docker engine: the one that is there, or one that the lab starts itself.

Where no service manager runs, a killed engine leaves containerd, shims, containers and pid files behind. They
are cleared before a new one starts. Each is found by its own mark, never by a bare name, so other people's
processes are safe.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.packages import SBIN
from lab.process import run, succeeds
from lab.spec import LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.paths import Home
    from lab.steps import Step

DATA = Path("/var/lib/docker")
EXEC = Path("/var/run/docker")
SOCKET = Path("/var/run/docker.sock")
START_DEADLINE = 60.0
PATIENCE = 20.0  # for a daemon that runs: it may just be busy


@dataclass(frozen=True)
class Process:
    """A process of this machine, as /proc shows it."""

    pid: int
    argv: tuple[str, ...]

    @property
    def program(self) -> str:
        return Path(self.argv[0]).name if self.argv else ""


def answers(timeout: float = 5) -> bool:
    """Whether a Docker daemon answers (the one of DOCKER_HOST or of the current context)."""
    return succeeds(["docker", "version", "--format", "{{.Server.Version}}"], timeout=timeout)


def ensure(home: Home, step: Step) -> None:
    """Return with a Docker daemon that answers."""
    if answers() or (_ours(home) and answers(PATIENCE)):
        return
    if chosen := os.environ.get("DOCKER_HOST"):
        raise LabError(f"no Docker daemon answers at DOCKER_HOST={chosen}: start it, or unset the variable")
    if Path("/run/systemd/system").is_dir():
        step.working("systemctl start docker")
        run(["systemctl", "start", "docker"], timeout=120)
    else:
        step.working("starting dockerd")
        clear_leftovers(home)
        start(home)
    wait(home)


def start(home: Home) -> None:
    """Start dockerd as a daemon of our own: pid file and log lie in the lab's folder."""
    env = {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", ""), *SBIN])}
    dockerd = shutil.which("dockerd", path=env["PATH"])
    if dockerd is None:
        raise LabError("dockerd is not installed: apt-get install docker.io")
    with (home.root / "dockerd.log").open("ab") as log:
        subprocess.Popen(
            [dockerd, "--pidfile", str(pid_file(home)), "--log-level", "warn"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=env,
        )


def wait(home: Home) -> None:
    """Wait until the daemon answers; when it has died instead, show the end of its log."""
    end = time.monotonic() + START_DEADLINE
    while time.monotonic() < end:
        if answers(timeout=3):
            return
        time.sleep(0.2)
    log = home.root / "dockerd.log"
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:]) if log.exists() else ""
    raise LabError(f"the Docker daemon does not answer after {START_DEADLINE:.0f} s\n{tail}")


def stop(home: Home) -> bool:
    """Stop the daemon if it is our own and nobody else uses it; say whether it was stopped."""
    ours = _ours(home)
    if not ours or _foreign_containers():
        return False
    for pid in ours:
        _signal(pid, signal.SIGTERM)
    _wait_gone(ours, 30)
    return True


def pid_file(home: Home) -> Path:
    """Where our own dockerd writes its process id."""
    return home.root / "dockerd.pid"


def is_our_daemon(process: Process, home: Home) -> bool:
    """Whether `process` is a dockerd that the lab started."""
    return process.program == "dockerd" and str(pid_file(home)) in process.argv


def _ours(home: Home) -> list[int]:
    return [process.pid for process in processes() if is_our_daemon(process, home)]


def clear_leftovers(home: Home) -> None:
    """Remove what a killed daemon left: processes, then pid files and sockets."""
    everything = [p for p in processes() if not _in_a_container(p.pid)]
    strangers = [p.pid for p in everything if p.program == "dockerd" and not is_our_daemon(p, home)]
    if strangers:
        raise LabError(f"dockerd runs as process {strangers[0]} but does not answer: stop it, then try again")
    dead = [p.pid for p in everything if is_our_daemon(p, home) or _belongs_to_dead_daemon(p)]
    dead += [p.pid for p in processes() if _in_container_of_ours(p.pid)]
    for pid in dead:
        _signal(pid, signal.SIGKILL)
    _wait_gone(dead, 10)
    for stale in (pid_file(home), Path("/var/run/docker.pid"), SOCKET, *EXEC.glob("containerd/*.pid")):
        stale.unlink(missing_ok=True)
    for stale in EXEC.glob("containerd/*.sock*"):
        stale.unlink(missing_ok=True)
    for mount in _mounts_below(EXEC / "netns"):
        run(["umount", "-l", mount], check=False)


def processes() -> Iterator[Process]:
    """All processes of the machine."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
            except OSError:
                continue
            if words != [""]:
                yield Process(int(entry.name), tuple(words))


def _belongs_to_dead_daemon(process: Process) -> bool:
    """The containerd that dockerd manages, its shims, and dockerd's port forwarders."""
    if process.program == "containerd":
        return str(EXEC / "containerd/containerd.toml") in process.argv
    if process.program.startswith("containerd-shim"):
        return any(word.startswith(str(EXEC / "containerd")) for word in process.argv)
    return process.program == "docker-proxy" and _parent(process.pid) == 1


def _in_a_container(pid: int) -> bool:
    """Whether a process has another view of processes than we: each lab host has a dockerd of its own."""
    try:
        return Path(f"/proc/{pid}/ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
    except OSError:
        return True


def _in_container_of_ours(pid: int) -> bool:
    """Whether a process lives in a container that the data folder of this machine's daemon knows."""
    try:
        cgroups = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False
    names = set(re.findall(r"/docker[/-]([0-9a-f]{64})", cgroups))
    return any((DATA / "containers" / name).is_dir() for name in names)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait_gone(pids: list[int], deadline: float) -> None:
    end = time.monotonic() + deadline
    while any(_alive(pid) for pid in pids):
        if time.monotonic() > end:
            raise LabError(f"processes do not end: {[pid for pid in pids if _alive(pid)]}")
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _mounts_below(folder: Path) -> list[str]:
    places = (line.split()[1] for line in Path("/proc/mounts").read_text().splitlines())
    return [place for place in places if place.startswith((f"{folder}/", f"{folder.resolve()}/"))]


def _foreign_containers() -> bool:
    """Whether containers without the lab's label run in the daemon."""
    everything = run(["docker", "ps", "-q"], check=False).stdout.split()
    ours = run(["docker", "ps", "-q", "--filter", f"label={LABEL}"], check=False).stdout.split()
    return bool(set(everything) - set(ours))
