"""The emulator: starting it, talking to it, ending it. It is found by its pid file, never by a name.

KVM is not used even where /dev/kvm exists: a device that opens does not prove that a guest runs under it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Self

from lab import engine
from lab.errors import LabError
from lab.process import run
from lab.vm.spec import MEMORY_MB, NAME, NICE, SNAPSHOT, SSH_ADDRESS, VCPU, Place

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "qemu-system-x86_64"
# 5-level page tables (la57) make every emulated page walk longer. net.ifnames: the one card is eth0.
CPU = "max,la57=off"
KERNEL_WORDS = "root=LABEL=vm-root rootwait rw console=ttyS0 net.ifnames=0 mitigations=off audit=0 quiet"


def command(place: Place, images: Path, port: int, disks: dict[str, Path], *, restore: bool) -> list[str]:
    """All words of the emulator for a guest whose kernel lies in `images`.

    Disks are cached as usual with flushes honoured, so what the guest has flushed survives a kill.
    The network is user-mode and restricted: nothing gets out, only ssh comes in.
    """
    drives = [
        word
        for name, path in disks.items()
        for word in (
            "-drive", f"if=none,id={name},format=qcow2,cache=writeback,discard=unmap,file={_quoted(path)}",
            "-device", f"virtio-blk-pci,drive={name},serial={name}",
        )
    ]  # fmt: skip
    return [
        PROGRAM, "-name", f"tempo-lab-{NAME}", "-nodefaults", "-display", "none",
        "-accel", "tcg,thread=multi,tb-size=512", "-cpu", CPU, "-smp", str(VCPU), "-m", str(MEMORY_MB),
        "-kernel", str(images / "vmlinuz"), "-initrd", str(images / "initrd.img"), "-append", KERNEL_WORDS,
        *drives,
        "-netdev", f"user,id=lan,restrict=on,hostfwd=tcp:{SSH_ADDRESS}:{port}-:22",
        "-device", "virtio-net-pci,netdev=lan,romfile=", "-device", "virtio-rng-pci",
        "-serial", f"file:{_quoted(place.console)}", "-qmp", f"unix:{_quoted(place.qmp)},server=on,wait=off",
        "-pidfile", str(place.pid), "-D", str(place.log), *(["-loadvm", SNAPSHOT] if restore else []),
    ]  # fmt: skip


def start(place: Place, words: list[str]) -> None:
    """Start the emulator as a daemon; LabError with its words if it can't start."""
    for stale in (place.pid, place.qmp):
        stale.unlink(missing_ok=True)
    run(["nice", "-n", str(NICE), *words, "-daemonize"], timeout=120)


def running(place: Place) -> list[int]:
    """The process ids of the VM's emulator: one, or none."""
    mark = str(place.pid)
    return [one.pid for one in engine.processes() if one.program == PROGRAM and mark in one.argv]


def stop(place: Place) -> bool:
    """Cut the power: kill the emulator, wait for its end. Whether there was one."""
    pids = running(place)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 20
    while running(place):
        if time.monotonic() > end:
            raise LabError(f"the emulator does not end: process {running(place)[0]}")
        time.sleep(0.02)
    return bool(pids)


def snapshot(place: Place) -> None:
    """Keep memory and disks as they are now, then end the emulator in order."""
    with _Monitor(place) as monitor:
        if said := monitor.human(f"savevm {SNAPSHOT}"):
            raise LabError(f"no snapshot: {said.strip()}")
        monitor.quit()
    end = time.monotonic() + 30
    while running(place):
        if time.monotonic() > end:
            raise LabError("the emulator does not quit after its snapshot")
        time.sleep(0.05)


def throttle(place: Place, disk: str, iops: int) -> None:
    """Let at most `iops` operations a second pass to a disk; 0 takes the limit away."""
    with _Monitor(place) as monitor:
        if said := monitor.human(f"block_set_io_throttle {disk} 0 0 0 {iops} 0 0"):
            raise LabError(f"no throttle: {said.strip()}")


class _Monitor:
    """A conversation with the emulator's QMP socket."""

    def __init__(self, place: Place, timeout: float = 120) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(place.qmp))
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        self._lines.readline()  # its greeting
        self._ask("qmp_capabilities", {})
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def human(self, line: str) -> str:
        """Run a line of the human monitor; what it prints, empty if all went well."""
        return str(self._ask("human-monitor-command", {"command-line": line}))

    def quit(self) -> None:
        with contextlib.suppress(OSError, LabError):
            self._ask("quit", {})

    def _ask(self, name: str, arguments: dict[str, str]) -> object:
        self._socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        while line := self._lines.readline():
            told = json.loads(line)
            if "return" in told:
                return told["return"]
            if "error" in told:
                raise LabError(f"emulator: {name}: {told['error'].get('desc')}")
        raise LabError(f"emulator: {name}: the connection ended")


def _quoted(path: Path) -> str:
    """A path inside an option list, where commas separate."""
    return str(path).replace(",", ",,")
