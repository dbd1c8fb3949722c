from __future__ import annotations

import os

import pytest

from tempo_infra.on_host import identity


@pytest.fixture(autouse=True)
def _whoever_runs_the_tests_is_postgresqls_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data folders of tests are made by this user, and belong to whom they should."""
    monkeypatch.setattr(identity, "POSTGRES_UID", os.geteuid())
