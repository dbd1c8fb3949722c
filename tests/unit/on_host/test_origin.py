"""Which secrets file a host has confirmed, and the passwords that lie on it for who has lost the file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.origin import Origin, keep, read
from tempo_infra.on_host.secret_files import passwords, write_secrets
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change, reading

ALL = reading.Passwords(["temporal/db_password", "temporal-green/db_password"])
ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64


def test_a_host_remembers_the_file_that_was_confirmed(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert read(layout) is None
    keep(layout, change.Origin(ONE, 4, "r1"))
    found = read(layout)
    assert isinstance(found, Origin)
    assert (found.digest, found.write, found.run) == (ONE, 4, "r1")
    assert layout.origin.stat().st_mode & 0o777 == 0o600
    keep(layout, change.Origin(TWO, 5, "r2", seen=ONE))
    assert read(layout) != found


def test_what_another_run_has_brought_meanwhile_stays(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    keep(layout, change.Origin(ONE, 4, "r1"))
    for seen in (None, TWO):
        with pytest.raises(StepError, match="another secrets file was confirmed on this host"):
            keep(layout, change.Origin(THREE, 5, "r2", seen=seen))
    keep(layout, change.Origin(THREE, 1, "r3", anyway=True))  # made of what lies here
    found = read(layout)
    assert found is not None
    assert found.digest == THREE


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"digest": "x", "write": 1, "since": "", "run": ""}', '{"digest": 1}']
)
def test_a_damaged_record_lets_nobody_through(text: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir(parents=True)
    layout.origin.write_text(text)
    with pytest.raises(StepError, match=r"secrets-origin\.json"):
        read(layout)


def with_passwords(root: Path) -> Layout:
    layout = Layout(root)
    body = {"temporal": {"db_password": "blue's"}, "temporal-green": {"db_password": "green's"}}
    uid = os.geteuid()
    owners = {"temporal": uid, "temporal-green": uid}
    write_secrets(layout, change.Secrets(owners, payload=json.dumps(body).encode()))
    return layout


def test_passwords_are_read_for_who_has_lost_the_file(tmp_path: Path) -> None:
    assert passwords(Layout(tmp_path), ALL) == {}
    layout = with_passwords(tmp_path)
    assert passwords(layout, ALL) == {
        "temporal/db_password": "blue's",
        "temporal-green/db_password": "green's",
    }


@pytest.mark.parametrize("planted", ["link", "pipe", "large", "folder"])
def test_what_the_reader_put_in_the_place_of_a_password_is_not_followed(planted: str, tmp_path: Path) -> None:
    layout = with_passwords(tmp_path)
    path = layout.secrets / "temporal/db_password"
    path.unlink()
    if planted == "link":
        (tmp_path / "shadow").write_text("root:x")
        path.symlink_to(tmp_path / "shadow")
    elif planted == "pipe":
        os.mkfifo(path)
    elif planted == "large":
        path.write_bytes(b"x" * 5000)
    else:
        path.mkdir()
    with pytest.raises((StepError, OSError), match=r"db_password|Too many levels"):
        passwords(layout, ALL)
