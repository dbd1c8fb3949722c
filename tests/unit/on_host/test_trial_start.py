"""What the trial start says of the image beside the data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tempo_infra.on_host import data_folder, live, trial_start
from tempo_infra.on_host.data_folder import Found
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.live import Live
from tempo_infra.on_host.shell import StepError


@pytest.mark.parametrize(("name", "who"), [("temporal", "temporal_local"), ("postgres", "postgres")])
def test_indexes_are_made_anew_by_no_superuser_in_somebodys_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, who: str
) -> None:
    monkeypatch.setattr(data_folder, "look", lambda _: Found())
    monkeypatch.setattr(live, "read", lambda _: Live(collations={name: "2.31"}))
    monkeypatch.setattr(trial_start, "database_container", lambda: "c0ffee")
    with pytest.raises(StepError, match=r"is sorted by version 2\.31") as caught:
        trial_start._must_fit(Layout(tmp_path), "170004", "2.36")
    assert f'in {name}, as {who} (psql -U): REINDEX DATABASE "{name}";' in caught.value.remedy
