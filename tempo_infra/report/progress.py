"""A run as it happens: one line a host on a terminal, plain lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol, Self

from tempo_infra.deploy.events import State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from rich.table import Table

    from tempo_infra.deploy.events import Progress

# What a person reads for a step; steps that are not named here pass in silence.
SAY = {
    "bootstrap": "Docker",
    "disk-speed": "disk",
    "stage": "staged",
    "pull": "images",
    "load": "images sent",
    "trial-start": "trial start",
    "arm": "armed",
    "switch": "switched",
    "postgres-ready": "database",
    "login": "login",
    "schema": "schema",
    "serving": "serving",
    "membership": "members",
    "namespaces": "namespaces",
    "healthy": "healthy",
    "confirm": "confirmed",
    "rollback": "rolled back",
    "unused": "old login unused",
    "forget": "old password gone",
    "drain": "drained",
    "ring": "ring",
    "silent": "silent",
    "remove": "removed",
    "owners": "shards",
    "command": "command",
    "boot": "rebooted",
}
# What a host is doing while a step runs that is not worth a tick afterwards.
NOW = {
    "up": "starting",
    "pack": "packing images",
    "tag": "images",
    "before-ours": "stopping",
    "sql": "roles",
    "database-answers": "database",
    "validate": "compose file",
    "members-gone": "earlier members",
    "still": "watching",
    "out-of-ring": "leaving the ring",
    "departed": "what runs there",
    "end-sessions": "its sessions",
    "reboot": "rebooting",
}


class ProgressView(Protocol):
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def show(self, progress: Progress) -> None: ...


class PlainView:
    """A line for each step that ended. A reader that went away (a closed pipe) does not stop the run."""

    def __init__(self) -> None:
        self._printing = threading.Lock()  # hosts report from threads of their own

    def say(self, line: str) -> None:
        with self._printing, contextlib.suppress(BrokenPipeError):
            print(line, flush=True)  # noqa: T201 - reports print

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, progress: Progress) -> None:
        if progress.state is State.STARTED:
            return
        if progress.state is State.FAILED:
            self.say(f"{progress.host}: {progress.step} failed: {progress.detail}")
        elif progress.state is State.UNCHANGED:
            self.say(f"{progress.host}: unchanged")
        elif progress.state is State.PROGRESS:
            self.say(f"{progress.host}: {SAY.get(progress.step, progress.step)}: {progress.detail}")
        elif progress.step in SAY:
            detail = f" {progress.detail}" if progress.detail else ""
            self.say(f"{progress.host}: {SAY[progress.step]}{detail} ({progress.seconds:.1f} s)")


class JsonView(PlainView):
    """A JSON object a line, for every event."""

    def show(self, progress: Progress) -> None:
        self.say(json.dumps(asdict(progress)))


class SilentView(PlainView):
    def show(self, progress: Progress) -> None:
        del progress


class LiveView:
    """One line a host, redrawn: what it has done, what it is doing, for how long."""

    def __init__(self, hosts: Sequence[str]) -> None:
        from rich.live import Live

        self._done: dict[str, list[tuple[str, str]]] = {host: [] for host in hosts}  # words and their style
        self._now: dict[str, str] = {}
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._guard = threading.Lock()
        self._live = Live(get_renderable=self._table, refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._now.clear()
        self._live.stop()

    def show(self, progress: Progress) -> None:
        with self._guard:
            host, said = progress.host, SAY.get(progress.step)
            self._began.setdefault(host, time.monotonic())
            if progress.state is State.STARTED:
                self._now[host] = said or NOW.get(progress.step, progress.step)
                return
            if progress.state is State.PROGRESS:
                self._now[host] = f"{said or NOW.get(progress.step, progress.step)}: {progress.detail}"
                return
            self._now.pop(host, None)
            self._ended[host] = time.monotonic()
            done = self._done.setdefault(host, [])
            if progress.state is State.UNCHANGED:
                done.append(("· unchanged ", "dim"))
            elif progress.state is State.FAILED:
                done.append((f"✗ {progress.step} ", "red"))
            elif said:
                first = progress.detail.partition(",")[0]
                done += [("✓ ", "green"), (f"{said} {first}".rstrip() + " ", "")]

    def _table(self) -> Table:
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text  # a host's own words are no markup

        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(ratio=1)
        table.add_column(justify="right", no_wrap=True)
        with self._guard:
            for host, done in self._done.items():
                now = self._now.get(host)
                until = time.monotonic() if now is not None else self._ended.get(host, 0.0)
                seconds = f"{until - self._began[host]:4.0f} s" if host in self._began else ""
                line = Table.grid(padding=(0, 1))
                line.add_row(Text.assemble(*done), Spinner("dots", Text(now)) if now else "")
                table.add_row(Text(f"  {host}"), line, seconds)
        return table


def view_for(hosts: Sequence[str], *, as_json: bool, quiet: bool) -> ProgressView:
    if as_json:
        return JsonView()
    if quiet:
        return SilentView()
    return LiveView(hosts) if sys.stdout.isatty() else PlainView()
