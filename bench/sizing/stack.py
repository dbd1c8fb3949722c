"""One run's programs: PostgreSQL, Temporal's processes, the worker. All fresh, all ended afterwards."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from bench.sizing.server import ADDRESS, FRONTEND, PORTS
from lab.errors import LabError
from lab.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bench.sizing.postgres import Database, Place
    from bench.sizing.server import Process, Stack

READY_S = 90.0


@dataclass(frozen=True)
class Programs:
    """Where the programs lie."""

    server: Path
    loadgen: Path


@dataclass(frozen=True)
class Running:
    """What runs, by what it is for."""

    database: Database
    servers: tuple[subprocess.Popen[bytes], ...]
    worker: subprocess.Popen[bytes]


@contextmanager
def running(place: Place, programs: Programs, stack: Stack, delay_ms: int) -> Iterator[Running]:
    """Bring a stack up on a fresh database, wait until it serves, and take it down."""
    server = stack.server
    with ExitStack() as ends:
        database = ends.enter_context(
            place.running(server.postgresql, server.sql, checksums=server.checksums, delay_ms=delay_ms)
        )
        folder = place.root / "run"
        folder.mkdir(exist_ok=True)
        servers = []
        for process in server.processes:
            servers.append(ends.enter_context(_process(folder, programs.server, process)))
            if process is server.processes[0]:  # it writes the cluster's metadata; others then find it
                _wait_for_port(PORTS[process.services[0]][0])
        try:
            run([str(programs.loadgen), "ready", f"--address={FRONTEND}"], timeout=READY_S)
        except LabError as late:
            raise LabError(f"{stack.name} is not ready; see {folder}:\n{late}") from late
        words = [str(programs.loadgen), "worker", f"--address={FRONTEND}", *stack.worker.words]
        worker = ends.enter_context(_ended(words, {}, folder / "worker.log"))
        yield Running(database, tuple(servers), worker)


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        with suppress(OSError):
            socket.create_connection((ADDRESS, port), 1).close()
            return
        if time.monotonic() > deadline:
            raise LabError(f"nothing listens on {ADDRESS}:{port}")
        time.sleep(0.1)


@contextmanager
def _process(folder: Path, program: Path, process: Process) -> Iterator[subprocess.Popen[bytes]]:
    dynamic, config = folder / f"{process.name}-dynamic.yaml", folder / f"{process.name}-server.yaml"
    dynamic.write_text(yaml.safe_dump(process.dynamic))
    client = {**process.config["dynamicConfigClient"], "filepath": str(dynamic)}
    document = {**process.config, "dynamicConfigClient": client}
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    env = {
        **process.env,
        "TEMPORAL_SERVER_CONFIG_FILE_PATH": str(config),
        "TEMPORAL_SERVICES": ",".join(process.services),
    }
    with _ended([str(program), "--allow-no-auth", "start"], env, folder / f"{process.name}.log") as started:
        yield started


@contextmanager
def _ended(words: list[str], env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that ends with the block, at once: nothing of a run is kept."""
    with log.open("wb") as out:
        process = subprocess.Popen(words, env={**os.environ, **env}, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
