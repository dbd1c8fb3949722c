from __future__ import annotations

import io
import json
import threading
from contextlib import redirect_stdout

from tempo_infra.deploy.events import Progress, State
from tempo_infra.report.progress import JsonView


class Slow(io.StringIO):
    """An output on which every write lets other threads run first."""

    def write(self, text: str) -> int:
        done = 0
        for char in text:
            done += super().write(char)
            threading.Event().wait(0)
        return done


def test_lines_of_hosts_that_report_at_once_do_not_mix() -> None:
    out, view = Slow(), JsonView()

    def report(host: str) -> None:
        for number in range(20):
            view.show(Progress(host, f"step-{number}", State.DONE))

    with redirect_stdout(out):
        threads = [threading.Thread(target=report, args=(f"host-{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(lines) == 80
    assert {line["host"] for line in lines} == {f"host-{n}" for n in range(4)}
