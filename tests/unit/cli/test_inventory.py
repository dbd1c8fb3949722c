"""`inventory schema`, `show` and `measure`."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from tempo_infra.cli.inventory import measure_into
from tempo_infra.cli.main import app
from tempo_infra.errors import InputError, StepFailedError, UnreachableError
from tempo_infra.inventory import load
from tempo_infra.inventory.cluster import Disk, Host, Resources
from tempo_infra.inventory.scaffold import example
from tempo_infra.inventory.schema import schema

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024**2
FOUND = Resources(3, 7963 * MIB, Disk("ssd", 81919 * MIB))


@pytest.fixture
def trio(tmp_path: Path) -> Path:
    path = tmp_path / "oslo.yaml"
    path.write_text(example("oslo-trio.yaml").read_text("utf-8"))
    return path


def test_the_schema_is_printed_as_json() -> None:
    result = CliRunner().invoke(app, ["inventory", "schema"])
    assert result.exit_code == 0
    assert json.loads(result.output) == schema()


def test_show_names_every_host_within_80_columns(trio: Path) -> None:
    result = CliRunner().invoke(app, ["inventory", "show", "-i", str(trio)])
    assert result.exit_code == 0
    assert all(
        text in result.output for text in ("front-1", "history-1", "db-1", "10.0.0.13", "8 vcpu, 32GiB")
    )
    assert max(map(len, result.output.splitlines())) <= 80


def test_labels_are_shown(trio: Path) -> None:
    trio.write_text(
        trio.read_text().replace(
            "    class: High-RAM", "    labels: {rack: b2, owner: kari}\n    class: High-RAM"
        )
    )
    said = CliRunner().invoke(app, ["inventory", "show", "-i", str(trio)]).output
    assert said.count("  labels    owner=kari, rack=b2\n") == 1


def test_show_refuses_a_bad_inventory(trio: Path) -> None:
    trio.write_text(trio.read_text().replace("shards: 512", "shards: 3"))
    result = CliRunner().invoke(app, ["inventory", "show", "-i", str(trio)])
    assert isinstance(result.exception, InputError)


def test_what_was_measured_is_written_with_the_date(trio: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = trio.read_text()
    measure_into(trio, ["db-1"], lambda _: FOUND)
    found = load(trio).host("db-1").resources
    today = dt.datetime.now(tz=dt.UTC).date()
    assert found.measured in {(today - dt.timedelta(days=1)).isoformat(), today.isoformat()}
    assert (found.vcpu, found.memory_bytes, found.disk) == (3, 7963 * MIB, FOUND.disk)
    changed = set(trio.read_text().splitlines()) - set(before.splitlines())
    assert len(changed) == 1
    assert (
        capsys.readouterr().out == "db-1  3 vcpu, 7963MiB, ssd 81919MiB  (was 8 vcpu, 32GiB, nvme 320GiB)\n"
    )


def test_a_host_that_does_not_answer_leaves_the_others_measured(trio: Path) -> None:
    def read(host: Host) -> Resources:
        if host.name == "db-1":
            raise UnreachableError("no answer", host=host.name)
        return FOUND

    with pytest.raises(UnreachableError):
        measure_into(trio, None, read)
    measured = {host.name: host.resources.measured for host in load(trio).hosts}
    assert measured["front-1"]
    assert measured["history-1"]
    assert measured["db-1"] is None


def test_what_can_not_be_right_is_not_written(trio: Path) -> None:
    before = trio.read_text()
    with pytest.raises(StepFailedError, match=r"not written.*must be between 1GiB and 64TiB"):
        measure_into(trio, ["db-1"], lambda _: Resources(1, 100 * MIB, FOUND.disk))
    assert trio.read_text() == before
