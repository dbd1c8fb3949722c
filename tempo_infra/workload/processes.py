"""The worker processes of one smoke run: started, killed and ended by their pid."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tempo_infra.errors import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MODULE: Final = "tempo_infra.workload.worker"
_STOP_S: Final = 5.0
_LOG_LINES: Final = 3


class WorkerProcess:
    """A child process that ends with its standard input, and by SIGKILL if need be."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._child = subprocess.Popen(
                [sys.executable, "-m", _MODULE, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is ours to handle
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def kill(self) -> None:
        """SIGKILL, and reap: on return the process is gone."""
        self._child.kill()
        self._child.wait(_STOP_S)

    def require_alive(self) -> None:
        """StepFailedError with its last words when it has ended by itself."""
        code = self._child.poll()
        if code is not None:
            lines = self._log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
            raise StepFailedError(
                f"worker process {self.pid} ended by itself (exit code {code})", remedy="\n  ".join(lines)
            )

    def close_input(self) -> None:
        if self._child.stdin:
            self._child.stdin.close()

    def reap(self) -> None:
        try:
            self._child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def workers(count: int, arguments: Sequence[str], folder: Path) -> Iterator[tuple[WorkerProcess, ...]]:
    """Start so many workers; however the block ends, none of them is left."""
    started: list[WorkerProcess] = []
    try:
        while len(started) < count:
            started.append(WorkerProcess(arguments, folder / f"worker-{len(started) + 1}.log"))
        yield tuple(started)
    finally:
        for one in started:
            one.close_input()
        for one in started:
            one.reap()
