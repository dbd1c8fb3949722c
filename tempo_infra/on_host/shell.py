"""Running other programs on the host: words in, text out, always under a deadline."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import IO, Optional, Sequence

from tempo_infra.on_host import remedies
from tempo_infra.on_host.layout import DOCKER_SOCKET

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "DOCKER_HOST": f"unix://{DOCKER_SOCKET}",  # a context of root's would lead `docker` to another engine
}
KILLED_S = 5.0  # in which a killed program ends
MOST_BYTES = 32 * 1024 * 1024  # of what a program says
STARTING = threading.Lock()  # while a program is being started; who ends this one takes it for good


class StepError(Exception):
    """A step failed; the text is for the operator. Who knows no remedy has one by what was said."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.remedy = remedy or remedies.remedy(remedies.HOST, what)


@dataclass(frozen=True)
class Output:
    returncode: int
    out: str
    err: str

    @property
    def last_words(self) -> str:
        """The end of what it said, for an error message."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        return " | ".join(lines[-3:])[-400:] or f"exit code {self.returncode}"


def run(words: "Sequence[str]", *, deadline_s: float, stdin: Optional[bytes] = None) -> Output:
    """Run a program and return what it said; StepError when it is missing, takes too long or says too much.

    The program gets a process group of its own, which ends with it at the deadline.
    """
    try:
        with STARTING:
            process = subprocess.Popen(
                list(words),
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
    except FileNotFoundError as error:
        raise StepError(f"{words[0]}: not found on this host") from error
    except OSError as error:
        raise StepError(f"{words[0]}: {error.strerror}") from error
    try:
        out, err = _talk(process, stdin, time.monotonic() + deadline_s)
    except subprocess.TimeoutExpired as error:
        _end(process)
        raise StepError(f"`{' '.join(words[:4])}` gave no answer in {deadline_s:g} s") from error
    except _TooMuchError as error:
        _end(process)
        raise StepError(f"`{' '.join(words[:4])}` said more than {MOST_BYTES // 2**20} MiB") from error
    return Output(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


class _TooMuchError(Exception):
    """A program said more than is kept of any."""


def _talk(process: "subprocess.Popen[bytes]", stdin: Optional[bytes], until: float) -> "tuple[bytes, bytes]":
    """Give a program its input and take what it says, within the bounds of time and size."""
    heard = {process.stdout: bytearray(), process.stderr: bytearray()}
    left = memoryview(stdin or b"")
    with selectors.DefaultSelector() as pipes:
        for pipe in heard:
            pipes.register(pipe, selectors.EVENT_READ)  # type: ignore[arg-type]
        if process.stdin is not None:
            pipes.register(process.stdin, selectors.EVENT_WRITE)
        while pipes.get_map():
            for key, _ in pipes.select(_within(process, until)):
                if key.fileobj is process.stdin:
                    left = left[_given(process.stdin, left) :]
                    ended = not left
                else:
                    piece = os.read(key.fd, 1 << 16)
                    heard[key.fileobj] += piece  # type: ignore[index]
                    ended = not piece
                if ended:
                    pipes.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
            if sum(map(len, heard.values())) > MOST_BYTES:
                raise _TooMuchError
    process.wait(_within(process, until))
    out, err = heard.values()
    return bytes(out), bytes(err)


def _within(process: "subprocess.Popen[bytes]", until: float) -> float:
    if (left_s := until - time.monotonic()) <= 0:
        raise subprocess.TimeoutExpired(process.args, 0)
    return left_s


def _given(pipe: "IO[bytes]", data: memoryview) -> int:
    """Return how much of its input a program has taken; of one that reads no more, all."""
    try:
        return os.write(pipe.fileno(), data[: select.PIPE_BUF])
    except BrokenPipeError:
        return len(data)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program and its group; whoever left that, or is stuck in the kernel, is not waited for."""
    os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(KILLED_S)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def must(words: "Sequence[str]", *, deadline_s: float, stdin: Optional[bytes] = None) -> Output:
    """Like `run`, but a non-zero exit code is a StepError with the program's last words."""
    output = run(words, deadline_s=deadline_s, stdin=stdin)
    if output.returncode != 0:
        raise StepError(f"`{' '.join(words[:4])}`: {output.last_words}")
    return output
