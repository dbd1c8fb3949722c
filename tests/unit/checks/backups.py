"""What a database host with backups says of them, in order but for what is given."""

from __future__ import annotations

from typing import Any

NOW = 1_796_050_000
HOUR = 3600


def told(*, hours: float = 3.0, waiting: int = 0, oldest_s: float = 0.0, **more: object) -> dict[str, Any]:
    newest = {"repository": 1, "label": "20261130-145543F", "ended_s": NOW - int(hours * HOUR)}
    log = {"waiting": waiting, "oldest_s": oldest_s, "timeout_s": 60, "failing": False, "failed": ""}
    repository = {"number": 1, "wrong": "", "first_segment": "1", "last_segment": "2"}
    return {"now_s": NOW, "repositories": [repository], "newest": [newest], "damaged": [], "log": log, **more}


AWAY = {"number": 2, "wrong": "[HostConnectError] unable to connect", "first_segment": "", "last_segment": ""}
