"""Reading metrics of a program, in Prometheus' text format, also where only its own container can reach them.

A container's loopback is no port of the host: one thread enters the container's network for the length of a
question. That needs root, and no program inside the image.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tempo_infra.on_host import exchange, fit
from tempo_infra.on_host.probes.reading import Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

ASK_S = 3.0
MAX_BYTES = 32 * 1024 * 1024  # read line by line, so this is time and not memory
MAX_SAMPLES = 20_000
MAX_LINE = 4096
_CLONE_NEWNET = 0x40000000  # linux/sched.h
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    labels: "dict[str, str]"
    value: float


def parse_line(line: str, wanted: "Collection[str]") -> "Sample | None":
    """Return the sample of a line; None for comments, other families, and what nothing can count."""
    found = _SAMPLE.match(line)
    if found is None or found[1] not in wanted:
        return None
    try:
        value = float(found[3])
    except ValueError:
        return None
    if not abs(value) <= fit.LARGEST:  # NaN is neither; the operator's program would refuse the whole answer
        return None
    return Sample(found[1], dict(_LABEL.findall(found[2] or "")), value)


class Lines(Protocol):
    """What lines can be read from."""

    def readline(self, most: int, /) -> bytes: ...


def read_samples(
    answer: Lines, wanted: "Collection[str]", most_bytes: int = MAX_BYTES
) -> "tuple[Sample, ...]":
    """Read an HTTP answer; Unread when it is none, or longer than metrics can be."""
    status = answer.readline(MAX_LINE)
    if b" 200 " not in status:
        raise Unread(f"its metrics answer {status[:80]!r}")
    found: "list[Sample]" = []
    left = most_bytes
    while left > 0 and len(found) < MAX_SAMPLES:
        line = answer.readline(MAX_LINE)
        if not line:
            return tuple(found)
        left -= len(line)
        sample = parse_line(line.decode(errors="replace"), wanted)
        if sample is not None:
            found.append(sample)
    raise Unread("its metrics never end")


def ask(address: str, port: int, wanted: "Collection[str]") -> "tuple[Sample, ...]":
    """Ask for /metrics once and return the samples of the wanted names."""
    with exchange.tcp(address, port, deadline_s=ASK_S, most_bytes=MAX_BYTES) as connection:
        connection.send(f"GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
        return read_samples(connection, wanted)


def inside(pid: int, work: "Callable[[], tuple[Sample, ...]]") -> "tuple[Sample, ...]":
    """Do some work in the network of a process; only the thread that does it goes there."""
    results: "list[tuple[Sample, ...]]" = []
    errors: "list[Exception]" = []

    def enter_and_work() -> None:
        try:
            _enter_network(pid)
            results.append(work())
        except Exception as error:  # noqa: BLE001 - it is raised again where it is waited for
            errors.append(error)

    thread = threading.Thread(target=enter_and_work, daemon=True)
    thread.start()
    thread.join(2 * ASK_S)
    if errors:
        raise errors[0]
    if not results:
        raise Unread("its metrics gave no answer")
    return results[0]


def _enter_network(pid: int) -> None:
    if os.geteuid() != 0:
        raise Unread("only root may read a container's metrics")
    library = ctypes.CDLL(None, use_errno=True)  # os.setns is of Python 3.12
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if library.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), f"/proc/{pid}/ns/net")
    finally:
        os.close(descriptor)
