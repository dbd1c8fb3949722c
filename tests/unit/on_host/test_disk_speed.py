from __future__ import annotations

from pathlib import Path

import pytest

from tempo_infra.on_host import disk_speed
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.probes import disk


def test_a_disk_is_measured_in_one_burst_that_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_speed, "BURST_S", 0.2)
    found = disk_speed.measure(Layout(tmp_path))
    if disk.read(str(tmp_path)).mount.value.filesystem in disk.IN_MEMORY:  # type: ignore[union-attr]  # it exists
        assert "not measured" in found.say
        return
    assert found.p50_ms is not None
    assert found.p99_ms is not None
    assert 0 < found.p50_ms <= found.p99_ms
    assert found.say.startswith("fsync p50 ")
    assert list(tmp_path.iterdir()) == []
