"""Running other programs on the host: words in, text out, always under a deadline."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import Optional, Sequence

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
KILLED_S = 5.0  # in which a killed program ends


class StepError(Exception):
    """A step failed; the text is for the operator."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.remedy = remedy


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
    """Run a program and return what it said; StepError when it is missing or takes too long.

    The program gets a process group of its own, which ends with it at the deadline.
    """
    try:
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
        out, err = process.communicate(stdin, timeout=deadline_s)
    except subprocess.TimeoutExpired as error:
        _end(process)
        raise StepError(f"`{' '.join(words[:4])}` gave no answer in {deadline_s:g} s") from error
    return Output(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


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
