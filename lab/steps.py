"""Progress: one line a step with its time, a total at the end. Steps may run side by side."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Step:
    """A step under way. It counts as cached unless `working` is called."""

    name: str
    steps: Steps
    busy: bool = False
    note: str = ""

    def working(self, note: str) -> None:
        """Say what is being done; from now on the step is not a cached one."""
        self.busy, self.note = True, note
        self.steps.line(f"       ..  {self.name}: {note}")


@dataclass
class Steps:
    """Prints steps as they end."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    started: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """A step that lasts as long as the block; failing, it says why at once, while others go on."""
        begun, step = time.monotonic(), Step(name, self)
        try:
            yield step
        except LabError as problem:
            self.line(f"{time.monotonic() - begun:7.1f} s  {name}: FAILED: {problem}")
            raise LabError(f"{name} failed, see above") from problem
        self.line(f"{time.monotonic() - begun:7.1f} s  {name}" + ("" if step.busy else ": cached"))

    def line(self, text: str) -> None:
        """Print one line, whole, whoever else is printing."""
        with self.lock:
            print(text, file=self.out, flush=True)

    def total(self, what: str) -> None:
        """The last line: how long it all took."""
        self.line(f"{time.monotonic() - self.started:7.1f} s  {what}")
