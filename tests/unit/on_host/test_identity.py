from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from tempo_infra.on_host import identity
from tempo_infra.on_host.database import make_data_folder
from tempo_infra.on_host.identity import Pin, why_not
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change
from tempo_infra.on_host.users import OF_IMAGES, OWN

PIN = Pin("7712", "2026-11-20T10:00:00Z", "r1")


def database(layout: Layout, number: int) -> Path:
    """A data directory as far as we look at one."""
    control = layout.data / "postgres/global/pg_control"
    control.parent.mkdir(parents=True, exist_ok=True)
    control.write_bytes(struct.pack("=Q", number) + b"the rest")
    return control.parents[1]


@pytest.mark.parametrize(
    ("pin", "found", "others", "says"),
    [
        (None, None, [], ""),
        (None, "7712", [], ""),
        (PIN, "7712", [], ""),
        (PIN, None, [], "holds no database, but PostgreSQL has run here (database 7712"),
        (PIN, None, ["left"], "holds no database, but PostgreSQL has run here"),
        (PIN, "9000", [], "holds database 9000, but 7712 is pinned on this host since 2026-11-20T10:00:00Z"),
        (
            None,
            None,
            ["18", "a", "b", "c", "d", "e"],
            "is not empty and holds no database: 18, a, b, c, d, …",
        ),
    ],
)
def test_a_server_starts_only_on_the_database_that_has_been_here(
    pin: Pin | None, found: str | None, others: list[str], says: str
) -> None:
    said = why_not(pin, found, others)
    assert said.startswith(f"/srv/tempo/postgres {says}") if says else said == ""


def test_the_first_server_is_pinned_and_another_one_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    assert identity.keep(layout, "r1", "7712").system_identifier == "7712"
    assert identity.keep(layout, "r2", "7712").run == "r1"
    with pytest.raises(StepError, match="answers as database 9000, but 7712 is pinned"):
        identity.keep(layout, "r3", "9000")
    assert identity.pinned(layout) == identity.keep(layout, "r4", "7712")
    with pytest.raises(StepError, match="pg_control in its data folder is no file any more"):
        identity.keep(layout, "r5", None)


def test_a_record_that_is_damaged_stops_everything(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    layout.pin.write_text("{")
    with pytest.raises(StepError, match="can't be read"):
        identity.pinned(layout)


def test_a_database_can_be_made_at_the_first_start_only(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    password = layout.initdb / "password"
    make_data_folder(layout, change.Data(wanted_new=True))
    assert len(password.read_text()) == 32
    database(layout, 7712)
    identity.keep(layout, "r1", "7712")
    assert password.read_text() == ""
    make_data_folder(layout, change.Data())
    assert password.read_text() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_whom_the_data_belongs_to_can_read_the_empty_password_too(tmp_path: Path) -> None:
    """The image reads it at each start, whether it makes a database or not."""
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    password = layout.initdb / "password"
    for uid in (OWN.postgresql, OF_IMAGES.postgresql):
        identity.permit(layout, wanted=False, uid=uid)
        assert [(one.stat().st_uid, one.stat().st_gid) for one in (layout.initdb, password)] == [
            (uid, uid)
        ] * 2
    password.chmod(0o600)
    identity.permit(layout, wanted=False)
    assert password.stat().st_mode & 0o777 == 0o400


def test_nothing_is_made_where_data_has_gone_unless_the_cluster_was_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    identity.keep(layout, "r1", "7712")
    with pytest.raises(StepError, match="is its volume mounted"):
        make_data_folder(layout, change.Data(wanted_new=True))
    assert not (layout.data / "postgres").exists()
    make_data_folder(layout, change.Data(wanted_new=True, forget=True))
    assert identity.pinned(layout) is None
    assert (layout.initdb / "password").read_text()


def test_a_name_typed_by_mistake_gives_no_database_up(tmp_path: Path) -> None:
    """--new-database is for data that is gone: with the database still there it does nothing."""
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    database(layout, 7712)
    identity.keep(layout, "r1", "7712")
    make_data_folder(layout, change.Data(forget=True))
    assert identity.pinned(layout) is not None
    database(layout, 9000)
    with pytest.raises(StepError, match="holds database 9000, but 7712 is pinned"):
        make_data_folder(layout, change.Data(forget=True))


def test_data_that_went_away_between_plan_and_start_is_no_new_database(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="it did when the plan was made"):
        make_data_folder(Layout(tmp_path), change.Data(wanted_new=False))
