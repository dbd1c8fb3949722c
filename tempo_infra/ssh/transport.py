"""The narrow door to a host: words in, bytes out, every wait with an end. Two transports stand behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tempo_infra.errors import UnreachableError
from tempo_infra.ssh.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tempo_infra.ssh.target import Target

CONNECT_S = 10.0
LOGIN_S = 20.0
KEEPALIVE_S = 15
STDERR_KEPT = 64 * 1024
READ_BYTES = 1 << 16
LINE_BYTES = 1 << 16  # a longer line comes in parts
OUTPUT_BYTES = 16 * 1024 * 1024  # of a program whose whole output is kept
ERRORS_BYTES = 64 * 1024 * 1024  # that are read, not kept: a host that floods us with more is no host
LATE_S = 0.5  # past a deadline: a program that stood still takes first what has arrived meanwhile
LOST = -1  # the exit code of a program whose connection ended first


@dataclass(frozen=True, slots=True)
class Completed:
    returncode: int  # LOST when nobody knows
    stdout: bytes
    stderr: bytes


class Stream(Protocol):
    """A TCP connection through a host, as far as a relay needs it."""

    def fileno(self) -> int: ...
    def recv(self, nbytes: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...
    def close(self) -> None: ...


class Process(ABC):
    """A program running on the host; both of its output streams are drained by whoever waits."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._out, self._err = bytearray(), bytearray()
        self._errors = 0  # bytes so far

    @property
    def stderr(self) -> bytes:
        return bytes(self._err)

    @property
    def farewell(self) -> str:
        """What the transport said about the end of the connection, if it said anything."""
        return ""

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Whether the program has ended, or the connection to it; reading on tells which."""

    @abstractmethod
    def send(self, data: bytes, *, deadline_s: float) -> None:
        """Write to its standard input; UnreachableError when the host does not take it in time."""

    @abstractmethod
    def close_stdin(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def _more(self, until: float, deadline_s: float) -> bool:
        """Take what arrived on either stream, waiting for it until the deadline; False at the end of both."""

    @abstractmethod
    def _exit_code(self, until: float) -> int:
        """Wait for the exit code, once both streams have ended; LOST when the connection went first."""

    def read_line(self, *, deadline_s: float, check: Callable[[], None] | None = None) -> bytes:
        """Return the next line with its end, or LINE_BYTES of it; what is left at the end, then b"".

        With a `check` the deadline is for silence: it is called before each piece, and raises where the whole
        takes too long. Without one the deadline is for the whole.
        """
        end = Deadline(deadline_s)
        while (found := self._out.find(b"\n", 0, LINE_BYTES)) < 0:
            if len(self._out) >= LINE_BYTES:
                return self._take(LINE_BYTES)
            if not self._next(end, check):
                return self._take(len(self._out))
        return self._take(found + 1)

    def read_exact(self, count: int, *, deadline_s: float, check: Callable[[], None] | None = None) -> bytes:
        """As `read_line`, so many bytes."""
        end = Deadline(deadline_s)
        while len(self._out) < count:
            if not self._next(end, check):
                raise UnreachableError(
                    f"the answer ended after {len(self._out)} of {count} bytes", host=self._name
                )
        return self._take(count)

    def read_some(self, most: int, *, deadline_s: float, check: Callable[[], None] | None = None) -> bytes:
        """As `read_line`, whatever has come, at most so many bytes; b"" at the end."""
        end = Deadline(deadline_s)
        while not self._out:
            if not self._next(end, check):
                return b""
        return self._take(min(most, len(self._out)))

    def asked(self, text: bytes, *, times: int, unless: bytes, deadline_s: float) -> bool:
        """Wait until its error stream holds a text so often; False once it says the line `unless`, or ends.

        What a login shell prints before that is no answer.
        """
        end = Deadline(deadline_s)
        while self._err.count(text) < times:
            if self._says(unless) or not self._next(end):
                return self._err.count(text) >= times
        return True

    def _says(self, line: bytes) -> bool:
        if len(self._out) > OUTPUT_BYTES:
            raise UnreachableError("its output doesn't end", host=self._name)
        return self._out.startswith(line + b"\n") or b"\n" + line + b"\n" in self._out

    def finish(self, *, deadline_s: float) -> Completed:
        """Read both streams to their end and return them with the exit code."""
        end = Deadline(deadline_s)
        while self._next(end):
            if len(self._out) > OUTPUT_BYTES:
                raise UnreachableError("its output doesn't end", host=self._name)
        return Completed(self._exit_code(end.until), self._take(len(self._out)), self.stderr)

    def _next(self, end: Deadline, check: Callable[[], None] | None = None) -> bool:
        """As `_more`; what comes does not put the end off, for which `check` may stand."""
        if check:
            check()
        elif end.past:
            raise UnreachableError(f"not done within {end.seconds:g} s", host=self._name)
        return self._more(end.until, end.seconds)

    def _silent(self, deadline_s: float) -> UnreachableError:
        return UnreachableError(f"no answer for {deadline_s:g} s", host=self._name)

    def _keep_error(self, data: bytes) -> None:
        self._errors += len(data)
        if self._errors > ERRORS_BYTES:
            raise UnreachableError("its error output doesn't end", host=self._name)
        self._err += data
        del self._err[:-STDERR_KEPT]

    def _take(self, count: int) -> bytes:
        taken = bytes(self._out[:count])
        del self._out[:count]
        return taken


class Connection(ABC):
    """A way to run programs on a host as the user who logs in there."""

    def __init__(self, target: Target) -> None:
        self.target = target

    @abstractmethod
    def start(self, argv: Sequence[str], *, deadline_s: float = LOGIN_S) -> Process:
        """Start a program; its words are quoted here and nowhere else."""

    @abstractmethod
    def open_tcp(self, to: tuple[str, int], *, deadline_s: float = CONNECT_S) -> Stream:
        """Open a TCP connection from the host to an address that it can reach."""

    @property
    @abstractmethod
    def reached(self) -> str | None:
        """The IP address that ssh connected to from here; None when other hosts or programs stand between."""

    @abstractmethod
    def close(self) -> None: ...

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", deadline_s: float) -> Completed:
        """Run a program to its end; UnreachableError when it gives no answer in time."""
        process = self.start(argv, deadline_s=deadline_s)
        try:
            if stdin:
                process.send(stdin, deadline_s=deadline_s)
            process.close_stdin()
            return process.finish(deadline_s=deadline_s)
        finally:
            process.close()
