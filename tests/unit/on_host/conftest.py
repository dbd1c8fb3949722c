from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_infra.on_host import mounts, users


@pytest.fixture(autouse=True)
def _whoever_runs_the_tests_is_postgresqls_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data folders of tests are made by this user, and belong to whom they should."""
    monkeypatch.setattr(users, "OWN", replace(users.OWN, postgresql=os.geteuid()))


@pytest.fixture(autouse=True)
def _compose_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a compose file of tests mounts is read off its text, which is written one way: none is started."""

    def named_by(file: Path) -> set[str]:
        return set(re.findall(r"source: (\S+)", file.read_text()))

    monkeypatch.setattr(mounts, "named_by", named_by)
