"""Work that may stand still in the kernel, done by a child that can be left behind.

A read of a dead network mount or a frozen file system does not return, and no signal ends it. Whoever is in
one can't let go of its lock, its connection or its process. So what lies where that may happen is looked at
here: the child has nothing of ours but a pipe for its answer, and when it is late it is not waited for.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tempo_infra.on_host.shell import STARTING, StepError

if TYPE_CHECKING:
    from typing import Callable

Plain = TypeVar("Plain")  # JSON values: what they hold may be anybody's, so nothing is made of it here
PIECE_BYTES = 1 << 16
MOST_BYTES = 4 << 20


class NoAnswerError(StepError):
    """The kernel did not answer in time."""


def aside(work: "Callable[[], Plain]", what: str, *, deadline_s: float) -> "Plain":
    """Do work in a child process and return its result, which is plain values.

    OSError as the work had it, NoAnswerError at the deadline, StepError for anything else. `what` names the
    place for the message.
    """
    reads, writes = os.pipe()
    with STARTING:
        child = _fork()
    if child == 0:
        _work(work, writes)
    os.close(writes)
    try:
        answer = _answer(reads, time.monotonic() + deadline_s)
    except BaseException:
        _leave(child)
        raise
    finally:
        os.close(reads)
    if answer is None:
        _leave(child)
        raise NoAnswerError(
            f"{what} gives no answer in {deadline_s:g} s",
            remedy="its disk or network mount hangs: see `dmesg` and `findmnt` on the host",
        )
    os.waitpid(child, 0)  # it has said all that it had to say, or was cut short for saying too much
    result: Plain = _result(answer, what)
    return result


def _fork() -> int:
    with warnings.catch_warnings():
        # Other threads make it risky to do more in the child than we do; a child that stands still is left.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _work(work: "Callable[[], Any]", writes: int) -> None:
    """Be the child: have nothing open that somebody waits for, answer, and end."""
    try:
        for path in list(Path("/proc/self/fd").iterdir()):
            if int(path.name) != writes:
                with contextlib.suppress(OSError):  # the one that listed them is closed already
                    os.close(int(path.name))
        try:
            answer: "tuple[Any, ...]" = ("done", work())
        except OSError as error:
            answer = ("os", error.errno, error.strerror, str(error.filename or ""))
        except StepError as error:
            answer = ("step", str(error), error.remedy)
        except BaseException as error:  # noqa: BLE001 - the parent says it
            answer = ("error", f"{type(error).__name__}: {error}"[:300])
        data = json.dumps(answer).encode()
        while data:
            data = data[os.write(writes, data) :]
    finally:
        os._exit(0)


def _answer(reads: int, until: float) -> "bytes | None":
    """Return what the child has written; None when it was not done in time."""
    poll, received = select.poll(), bytearray()
    poll.register(reads, select.POLLIN)
    while len(received) <= MOST_BYTES:
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            return None
        piece = os.read(reads, PIECE_BYTES)
        if not piece:
            break
        received += piece
    return bytes(received)


def _leave(child: int) -> None:
    """End the child; one that stands in the kernel ends when that lets it, and nobody waits for it."""
    os.kill(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, os.WNOHANG)


def _result(answer: bytes, what: str) -> Any:  # noqa: ANN401 - a JSON value
    try:
        kind, *rest = json.loads(answer)
    except ValueError:
        raise StepError(f"{what}: looking at it ended early") from None
    if kind == "os":
        number, text, name = rest
        raise OSError(number, text, name)
    if kind == "step":
        raise StepError(*rest)
    if kind == "error":
        raise StepError(f"{what}: {rest[0]}")
    return rest[0]
