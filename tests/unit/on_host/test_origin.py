"""Which secrets file a host has confirmed, and the passwords that lie on it for who has lost the file."""

from __future__ import annotations

import os
from base64 import b64decode
from pathlib import Path

import pytest

from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.manifest import Manifest, Material
from tempo_infra.on_host.material import passwords
from tempo_infra.on_host.origin import Origin, keep, read
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
    for reader, value in (("temporal", "blue's"), ("temporal-green", "green's\n")):
        (layout.secrets / reader).mkdir(parents=True)
        (layout.secrets / reader / "db_password").write_text(value)
    return layout


def test_passwords_are_read_for_who_has_lost_the_file(tmp_path: Path) -> None:
    assert passwords(Layout(tmp_path), ALL) == {}
    layout = with_passwords(tmp_path)
    assert {name: b64decode(one) for name, one in passwords(layout, ALL).items()} == {
        "temporal/db_password": b"blue's",
        "temporal-green/db_password": b"green's\n",
    }


def test_what_lies_by_its_content_is_found_by_what_it_is_called(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    listed = {
        "echo-3f2a/token": Material("token", "echo", 1000, "d"),
        "echo-reloaded-aa/seal": Material("seal", "echo", 1000, "d", reloaded=True),
    }
    (layout.generations / "g").mkdir(parents=True)
    (layout.generations / "g/manifest.json").write_bytes(Manifest(material=listed).text)
    layout.current.symlink_to("generations/g")
    for path in ("echo-3f2a/token", "echo-reloaded/seal", "echo/token"):
        (layout.secrets / path).parent.mkdir(parents=True)
        (layout.secrets / path).write_text(path)
    found = passwords(layout, reading.Passwords(["echo/token", "echo/seal", "echo/other"]))
    assert {name: b64decode(one).decode() for name, one in found.items()} == {
        "echo/token": "echo-3f2a/token",
        "echo/seal": "echo-reloaded/seal",
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
        path.write_bytes(b"x" * 70_000)
    else:
        path.mkdir()
    with pytest.raises((StepError, OSError), match=r"db_password|Too many levels"):
        passwords(layout, ALL)
