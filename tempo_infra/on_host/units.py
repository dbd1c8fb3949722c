"""Letting systemd take up units whose files were written or taken away; a boot reads them anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Collection

from tempo_infra.on_host.shell import must, run

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout

FOLDER = "etc/systemd/"
TIMER = ".timer"


def take_up(layout: Layout, changed: "Collection[str]") -> None:
    """Have systemd read its units anew when one of these paths is of one; timers begin, or end."""
    if not any(path.startswith(FOLDER) for path in changed):
        return
    timers = {path: path.rpartition("/")[2] for path in sorted(changed) if path.endswith(TIMER)}
    for path, name in timers.items():
        if not layout.installed(path).is_file():
            run(["systemctl", "stop", name], deadline_s=60)
    run(["systemctl", "daemon-reload"], deadline_s=60)
    for path, name in timers.items():
        if layout.installed(path).is_file():
            must(["systemctl", "restart", name], deadline_s=60)
