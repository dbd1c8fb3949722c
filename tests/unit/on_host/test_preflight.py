from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tempo_infra.on_host import identity, ports, preflight, subnets, which_engine
from tempo_infra.on_host.engine_here import Unfit
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.preflight import GUARDS
from tempo_infra.on_host.shell import StepError
from tempo_infra.on_host.steps import change
from tempo_infra.on_host.which_engine import Engine

FINE = change.Preflight(1 << 20, 100, "127.0.0.1", ["127.0.0.1:7233"])


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(which_engine, "find", lambda **_: Engine("28.5.1"))
    made = Layout(tmp_path)
    for folder in (made.state, made.data, *(tmp_path / one for one in preflight.OWNED)):
        folder.mkdir(parents=True)
    return made


def refusal(layout: Layout, args: change.Preflight) -> str:
    with pytest.raises(StepError) as refused:
        preflight.preflight(layout, args)
    assert refused.value.remedy == "nothing was touched"
    return str(refused.value)


def test_a_host_that_is_fine_passes_all_guards(layout: Layout) -> None:
    assert preflight.preflight(layout, FINE) == {"guards": len(GUARDS)}
    assert [path for path in layout.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("manifest", "renamed_from", "refused"),
    [
        ('{"cluster": "bergen", "files": {}}', "", True),
        ('{"cluster": "bergen", "files": {}}', "trondheim", True),
        ('{"cluster": "bergen", "files": {}}', "bergen", False),
        ('{"cluster": "oslo", "files": {}}', "", False),
        ('{"cluster": "oslo", "files": {}}', "bergen", False),
        ('{"files": {}}', "", False),  # of an older program
        ('{"cluster": ["bergen"]}', "", False),
        ("[]", "", False),
        ("{", "", False),
    ],
)
def test_a_host_of_another_cluster_is_taken_by_its_name_only(
    layout: Layout, manifest: str, renamed_from: str, refused: bool
) -> None:
    (layout.generations / "g").mkdir(parents=True)
    (layout.generations / "g/manifest.json").write_text(manifest)
    layout.current.symlink_to("generations/g")
    args = replace(FINE, cluster="oslo", renamed_from=renamed_from)
    if refused:
        assert "this host belongs to the cluster bergen, not to oslo: `tempo-infra remove`" in refusal(
            layout, args
        )
    else:
        preflight.preflight(layout, args)


def test_room_is_asked_for_in_bytes_and_inodes(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(f_bavail=3, f_frsize=1 << 20, f_files=99, f_favail=7, f_flag=0)
    monkeypatch.setattr(os, "statvfs", lambda _: usage)
    said = refusal(layout, replace(FINE, bytes=5 << 20, files=9))
    assert f"{layout.state} needs 5 MiB, 3 MiB are free" in said
    assert f"{layout.state} needs 9 inodes, 7 are free" in said


def test_a_folder_that_can_not_be_written_is_named(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def refuses(path: Path, *how: int, **where: int) -> int:
        if str(path).startswith(str(layout.root)):
            raise OSError(30, "Read-only file system", str(path))
        return opened(path, *how, **where)

    monkeypatch.setattr(os, "open", refuses)
    assert f"{layout.root / 'etc/sysctl.d'} can't be written: Read-only file system" in refusal(layout, FINE)


@pytest.mark.parametrize(
    ("engine", "rules", "says"),
    [
        (Engine(), False, "no Docker engine is here any more"),
        (Engine("5.4.2", [Unfit("Podman answers", "remove it")]), False, "Podman answers (remove it)"),
        (Engine("28.5.1", filters=False), True, 'Docker makes no rules of the firewall ("iptables": false)'),
        (Engine("28.5.1", filters=False), False, ""),
    ],
)
def test_an_engine_is_looked_at_once_more_also_one_that_was_just_installed(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, engine: Engine, says: str, *, rules: bool
) -> None:
    monkeypatch.setattr(which_engine, "find", lambda **_: engine)
    args = replace(FINE, rules=rules)
    assert (refusal(layout, args) if says else preflight.preflight(layout, args) and "") == says


def test_an_address_that_went_away_is_named(layout: Layout) -> None:
    said = refusal(layout, replace(FINE, internal="192.0.2.77"))
    assert said == "the internal address 192.0.2.77 is not up any more"


def test_a_port_that_a_stranger_took_is_named(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "taken", lambda wanted: dict.fromkeys(wanted, ports.Holder("nginx (pid 12)")))
    assert refusal(layout, FINE) == "port 127.0.0.1:7233 is taken by nginx (pid 12)"


@pytest.mark.parametrize("fails", [False, True])
def test_a_network_that_somebody_took_is_named(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    def look(wanted: list[str], **_: object) -> subnets.Subnets:
        if fails:
            raise StepError("no answer")
        return subnets.Subnets({one: ["the route 172.16.0.0/12 (wg0)"] for one in wanted})

    monkeypatch.setattr(subnets, "look", look)
    said = refusal(layout, replace(FINE, subnets=["172.30.0.0/24"]))
    assert said == (
        "nobody knows who has 172.30.0.0/24 here: no answer"
        if fails
        else "the containers' network 172.30.0.0/24 overlaps the route 172.16.0.0/12 (wg0)"
    )
    assert preflight.preflight(layout, FINE)


def test_another_database_is_named_where_there_should_be_one(layout: Layout) -> None:
    identity.keep(layout, "r1", "7712")
    assert "holds no database" in refusal(layout, replace(FINE, database=True))
    assert preflight.preflight(layout, FINE)


def test_everything_that_is_wrong_is_said_at_once(layout: Layout) -> None:
    identity.keep(layout, "r1", "7712")
    said = refusal(layout, replace(FINE, database=True, internal="192.0.2.77"))
    assert said.count("; ") == 1


def test_a_read_only_mount_is_seen_without_writing(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    assert preflight.read_only(layout) == []
    of = {True: SimpleNamespace(f_flag=os.ST_RDONLY), False: SimpleNamespace(f_flag=0)}
    monkeypatch.setattr(os, "statvfs", lambda path: of[str(path).endswith("sysctl.d")])
    assert preflight.read_only(layout) == [str(layout.root / "etc/sysctl.d")]
