"""What the program on a host says to its operator, who may be gone, or there and not listening."""

from __future__ import annotations

import os
import select
import threading
import time
from dataclasses import asdict
from typing import Any, BinaryIO

from tempo_infra.on_host.wire import Event, Reply, encode

PIECE_BYTES = 4096  # PIPE_BUF: a pipe that can be written takes as much at once
DEAF_S = 120.0  # a stopped operator's pipe is full for ever


class Speaker:
    """Writes frames. What nobody takes in time is dropped, and what comes after it: the work goes on."""

    def __init__(self, nonce: str, stdout: BinaryIO) -> None:
        self._nonce, self._stdout = nonce, stdout
        self._writing = threading.Lock()
        self._unsaid = b""
        self._deaf = False

    def event(self, event: Event) -> None:
        """Say it; the end of a step waits for what follows at once."""
        self._send("event", asdict(event), more=event.state == "ended")

    def alive(self, step: str) -> None:
        """Say that the program is at work in a step, if that can be said without waiting for anybody."""
        if not self._writing.acquire(blocking=False):
            return
        try:
            if not self._deaf and self._can_be_written(0.0):
                self._write(encode(self._nonce, "event", asdict(Event(step, "alive"))), 0.0)
        finally:
            self._writing.release()

    def reply(self, reply: Reply, wait_s: float = DEAF_S) -> None:
        self._send("reply", asdict(reply), wait_s=wait_s)

    def _send(self, kind: str, body: Any, *, more: bool = False, wait_s: float = DEAF_S) -> None:  # noqa: ANN401 - JSON
        until = time.monotonic() + wait_s
        if not self._writing.acquire(timeout=wait_s):
            return
        try:
            data = self._taken(encode(self._nonce, kind, body))
            if more:
                self._unsaid = data
            else:
                self._write(data, until)
        finally:
            self._writing.release()

    def _taken(self, data: bytes) -> bytes:
        """Return what waited to be said, and this."""
        unsaid, self._unsaid = self._unsaid, b""
        return unsaid + data

    def _write(self, data: bytes, until: float) -> None:
        try:
            descriptor = self._stdout.fileno()
        except OSError:  # not a file of the system: it takes everything
            self._stdout.write(data)
            return
        while data and not self._deaf:
            if not self._can_be_written(until - time.monotonic()):
                self._deaf = True
                return
            try:
                data = data[os.write(descriptor, data[:PIECE_BYTES]) :]
            except OSError:  # the operator is gone; the journal has the result
                self._deaf = True

    def _can_be_written(self, within_s: float) -> bool:
        try:
            poll = select.poll()
            poll.register(self._stdout.fileno(), select.POLLOUT)
        except OSError:
            return True
        return bool(poll.poll(max(0.0, within_s) * 1000))
