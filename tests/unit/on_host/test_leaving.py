"""What a host is after `remove` and `eject`: ours gone or handed over; data and other people's files stay."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import containers, ejecting, engine, leaving, mounts, which_engine
from tempo_infra.on_host.ejecting import eject
from tempo_infra.on_host.engine_here import Unfit
from tempo_infra.on_host.journal import Entry, record
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.leaving import remove
from tempo_infra.on_host.shell import Output, StepError
from tempo_infra.on_host.steps import upkeep
from tempo_infra.on_host.which_engine import Engine
from tests.unit.on_host.a_host import Start
from tests.unit.on_host.test_undo import ARMED

DIGEST = "d" * 64
CONF = "etc/sysctl.d/60-tempo-infra.conf"
UNIT = "etc/systemd/system/tempo-infra.service"
WANTS = "etc/systemd/system/multi-user.target.d/60-tempo-infra.conf"
STATE = "var/lib/tempo-infra"
FILES = {
    CONF: "# Managed by tempo-infra; a change is not kept.\nvm.swappiness = 1\nvm.dirty_bytes = 100\n",
    UNIT: "# Managed by tempo-infra; a change is not kept.\n"
    "ExecStart=compose -f {state}/current/docker-compose.yml up\n",
    WANTS: "[Unit]\nWants=tempo-infra.service\n",
}
COMPOSE = """# Managed by tempo-infra; a change is not kept.
name: tempo-infra
      - type: bind
        source: {state}/services/history-aaa
        source: {state}/secrets/temporal-green
        source: {state}/initdb
"""


@pytest.fixture(autouse=True)
def _no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    def done(words: list[str], **_: object) -> Output:
        return Output(0, "", "")

    for module in (leaving, ejecting, containers):
        monkeypatch.setattr(module, "run", done)
    monkeypatch.setattr(containers, "must", done)
    monkeypatch.setattr(which_engine, "find", lambda **_: Engine())
    monkeypatch.setattr(mounts, "mounted", set)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A provisioned host: generation, owned files, two passwords, data, and kernel values as we set them."""
    state = tmp_path / STATE
    shipped = {path: text.format(state=state) for path, text in FILES.items()}
    for path, text in {
        **shipped,
        f"{STATE}/generations/{DIGEST}/docker-compose.yml": COMPOSE.format(state=state),
        f"{STATE}/services/history-aaa/server.yaml": "x",
        f"{STATE}/services/history-old/server.yaml": "x",
        f"{STATE}/secrets/temporal-green/db_password": "secret",
        f"{STATE}/secrets/temporal/db_password": "old",
        f"{STATE}/lock": "",
        f"{STATE}/initdb/password": "",
        f"{STATE}/database.json": "{}",
        "srv/tempo/postgres/PG_VERSION": "17\n",
        "etc/systemd/system/other.service": "an admin's\n",
        "proc/sys/vm/swappiness": "1\n",
        "proc/sys/vm/dirty_bytes": "100\n",
        "proc/sys/vm/dirty_ratio": "0\n",
        f"{STATE}/kernel-before.json": json.dumps(
            {"proc/sys/vm/swappiness": "60", "proc/sys/vm/dirty_bytes": "0", "proc/sys/vm/dirty_ratio": "20"}
        ),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    files = {path: {"sha256": hashlib.sha256(text.encode()).hexdigest()} for path, text in shipped.items()}
    instances = {
        "history": {"component": "history", "image": "h"},
        "schema": {"component": "postgresql", "image": "s", "job": True},
    }
    kernel = {"proc/sys/vm/swappiness": "1", "proc/sys/vm/dirty_bytes": "100"}
    found = Layout(tmp_path)
    manifest = {"format": 2, "cluster": "oslo", "files": files, "instances": instances, "kernel": kernel}
    (found.generations / DIGEST / "manifest.json").write_text(json.dumps(manifest))
    found.current.symlink_to(f"generations/{DIGEST}")
    record(found, Entry("r0", "confirm", "confirmed", DIGEST))
    return found


@pytest.mark.parametrize(
    "leave",
    [
        lambda la: remove(la, upkeep.Remove("r1", "bergen")),
        lambda la: eject(la, upkeep.Eject("10.0.0.1", "bergen")),
    ],
)
def test_another_clusters_host_is_not_left(layout: Layout, leave: Callable[[Layout], object]) -> None:
    with pytest.raises(StepError, match="this host belongs to the cluster oslo, not to bergen"):
        leave(layout)
    assert layout.current.is_symlink()
    assert all((layout.root / path).is_file() for path in FILES)


def test_remove_leaves_data_and_other_peoples_files_and_nothing_of_ours(layout: Layout) -> None:
    removed = remove(layout, upkeep.Remove("r1", "oslo"))
    left = sorted(str(path.relative_to(layout.root)) for path in layout.root.rglob("*") if path.is_file())
    assert [path for path in left if not path.startswith("proc/")] == [
        "etc/systemd/system/other.service",
        "srv/tempo/postgres/PG_VERSION",
    ]
    assert not layout.state.exists()
    assert not (layout.root / WANTS).parent.exists()
    assert removed.files == sorted(FILES)
    assert removed.data == [str(layout.data / "postgres")]
    assert removed.state
    layout.state.mkdir()
    layout.lock.touch()  # of the run that removes
    again = remove(layout, upkeep.Remove("r2", "oslo"))
    assert (again.files, again.state) == ([], False)


def test_nothing_starts_services_again_and_the_database_stops_last(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    rows = [("a1", "history", "running"), ("b2", "postgresql", "running"), ("c3", "ui", "exited")]
    label = "com.docker.compose.service"
    left = [{"Id": id_, "Labels": {label: name}, "State": state} for id_, name, state in rows]

    def note(words: list[str], **_: object) -> Output:
        done.append(" ".join(words[:4]))
        if words[:4] == ["docker", "compose", "-p", "tempo-infra"]:
            left.clear()
        return Output(0, "", "")

    monkeypatch.setattr(containers, "run", note)
    monkeypatch.setattr(containers, "must", note)
    monkeypatch.setattr(which_engine, "find", lambda **_: Engine("28.5.1"))
    monkeypatch.setattr(engine, "listed", lambda *_, **__: list(left))
    assert remove(layout, upkeep.Remove("r1", "oslo")).services == ["history", "postgresql", "ui"]
    assert [one for one in done if "stop" in one or "compose" in one] == [
        "systemctl stop tempo-infra.service", "docker stop a1", "docker compose -p tempo-infra",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Engine(), None),
        (Engine("5.4.2", [Unfit("Podman answers", "remove it")]), None),  # and it has nothing of ours
        (Engine(None, [Unfit("docker.io is stopped", "start it")]), "docker.io is stopped"),
    ],
)
def test_containers_are_asked_for_where_an_engine_may_have_some(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, found: Engine, says: str | None
) -> None:
    """Whatever program is on the path: files must not go while containers that read them stay."""
    monkeypatch.setattr(containers, "run", lambda *_, **__: Output(0, "", ""))
    monkeypatch.setattr(which_engine, "find", lambda **_: found)
    monkeypatch.setattr(engine, "listed", lambda *_, **__: [])
    if says is None:
        assert remove(layout, upkeep.Remove("r1", "oslo")).services == []
        return
    with pytest.raises(StepError, match=says):
        remove(layout, upkeep.Remove("r1", "oslo"))
    assert layout.current.is_symlink()


def test_kernel_values_become_what_they_were_and_the_one_in_force_is_the_one_written(layout: Layout) -> None:
    removed = remove(layout, upkeep.Remove("r1", "oslo"))
    assert removed.put_back == {"proc/sys/vm/swappiness": "60", "proc/sys/vm/dirty_ratio": "20"}
    assert (layout.root / "proc/sys/vm/swappiness").read_text() == "60\n"
    assert (layout.root / "proc/sys/vm/dirty_ratio").read_text() == "20\n"
    assert (layout.root / "proc/sys/vm/dirty_bytes").read_text() == "100\n"  # the kernel does that by itself


def test_after_eject_and_taking_over_our_own_values_are_what_was_found_and_are_named(layout: Layout) -> None:
    """The provision after an `eject` finds what the one before it left, and can go back to nothing else."""
    (layout.root / "proc/sys/vm/swappiness").write_text("1\n")
    known = json.loads(layout.kernel_before.read_text())
    layout.kernel_before.write_text(json.dumps({**known, "proc/sys/vm/swappiness": "1\n"}))
    (layout.state / "taken-over" / "r0").mkdir(parents=True)
    removed = remove(layout, upkeep.Remove("r1", "oslo"))
    assert removed.same == {"proc/sys/vm/swappiness": "1"}
    assert "proc/sys/vm/swappiness" not in removed.left
    assert removed.copies == str(layout.state / "taken-over")
    assert Path(removed.copies).is_dir()


def test_a_kernel_value_that_somebody_changed_since_is_left_and_named(layout: Layout) -> None:
    (layout.root / "proc/sys/vm/swappiness").write_text("33\n")
    removed = remove(layout, upkeep.Remove("r1", "oslo"))
    assert removed.left == ["proc/sys/vm/swappiness"]
    assert (layout.root / "proc/sys/vm/swappiness").read_text() == "33\n"


def test_an_edited_file_is_kept_aside(layout: Layout) -> None:
    layout.installed(CONF).write_text("# mine\n")
    removed = remove(layout, upkeep.Remove("r1", "oslo"))
    assert not layout.installed(CONF).exists()
    assert [Path(copy).read_text() for copy in removed.aside] == ["# mine\n"]
    remove(layout, upkeep.Remove("r2", "oslo"))
    assert Path(removed.aside[0]).exists()


def test_nothing_is_left_while_a_run_is_open(layout: Layout) -> None:
    guard.write(layout, replace(ARMED, phase="armed"))
    with pytest.raises(StepError, match="is not over on this host"):
        remove(layout, upkeep.Remove("r1", "oslo"))
    with pytest.raises(StepError, match="is not over on this host"):
        eject(layout, upkeep.Eject("10.0.0.1", "oslo"))
    assert layout.installed(CONF).exists()


LEFT = {
    "docker-compose.yml", "README.md", "services/history-aaa/server.yaml",
    "secrets/temporal-green/db_password", "initdb/password",
}  # fmt: skip


def files_of(layout: Layout) -> set[str]:
    return {str(path.relative_to(layout.state)) for path in layout.state.rglob("*") if path.is_file()}


def test_eject_leaves_what_the_compose_file_reads_and_forgets_the_rest(layout: Layout) -> None:
    done = eject(layout, upkeep.Eject("10.0.0.1", "oslo"))
    assert done.services == ["history"]
    assert files_of(layout) == LEFT
    text = Path(done.compose_file).read_text()
    assert text.startswith("# Left by `tempo-infra eject`")
    assert text.partition("\n")[2] == COMPOSE.format(state=layout.state).partition("\n")[2]
    assert f"compose -f {done.compose_file} up" in layout.installed(UNIT).read_text()
    assert "`/etc/sysctl.d/60-tempo-infra.conf`" in (layout.state / "README.md").read_text()


def test_what_a_container_has_mounted_stays_whatever_the_file_says(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that runs since before the file was changed, one that mounts a single file of a folder."""
    mounted = {str(layout.services / "history-old"), str(layout.secrets / "temporal/db_password")}
    monkeypatch.setattr(mounts, "mounted", lambda: mounted)
    eject(layout, upkeep.Eject("10.0.0.1", "oslo"))
    assert {path.name for path in layout.services.iterdir()} == {"history-aaa", "history-old"}
    assert {path.name for path in layout.secrets.iterdir()} == {"temporal", "temporal-green"}


@pytest.mark.parametrize("asked", ["mounted", "named_by"])
def test_nothing_is_taken_away_where_nobody_says_what_is_mounted(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    def silent(*_: object) -> set[str]:
        raise StepError("the Docker engine gave no answer in 20 s")

    monkeypatch.setattr(mounts, asked, silent)
    before = files_of(layout)
    with pytest.raises(StepError, match="gave no answer"):
        eject(layout, upkeep.Eject("10.0.0.1", "oslo"))
    assert files_of(layout) - {"docker-compose.yml"} == before
    assert layout.current.is_symlink()


@pytest.mark.parametrize("place", ["current/x", "generations/d/x"])
def test_a_service_that_reads_what_goes_away_is_not_ejected(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(mounts, "mounted", lambda: {f"{layout.state}/{place}"})
    before = files_of(layout)
    with pytest.raises(StepError, match="a service mounts something in"):
        eject(layout, upkeep.Eject("10.0.0.1", "oslo"))
    assert files_of(layout) - {"docker-compose.yml"} == before


def test_eject_twice_is_fine_and_on_a_bare_host_is_refused(layout: Layout, tmp_path: Path) -> None:
    eject(layout, upkeep.Eject("10.0.0.1", "oslo"))
    assert eject(layout, upkeep.Eject("10.0.0.1", "oslo")).services == []
    with pytest.raises(StepError, match="nothing is provisioned"):
        eject(Layout(tmp_path / "bare"), upkeep.Eject("10.0.0.1", "oslo"))


def test_eject_that_was_cut_off_is_gone_on_with(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before each thing that it takes away, one run after the other."""
    taken: set[Path] = set()

    def cutting(whole: Callable[..., None]) -> Callable[..., None]:
        def cut(target: Path, **more: object) -> None:
            if target.is_relative_to(layout.state) and target not in taken:
                taken.add(target)
                raise InterruptedError
            whole(target, **more)

        return cut

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", cutting(shutil.rmtree))
        patch.setattr(Path, "unlink", cutting(Path.unlink))
        for _ in range(50):
            with contextlib.suppress(InterruptedError):
                eject(layout, upkeep.Eject("10.0.0.1", "oslo"))
                break
    assert {path.name for path in taken} >= {"current", "journal.jsonl", "generations", "history-old"}
    assert files_of(layout) - {"lock"} == LEFT


def test_a_second_eject_takes_nothing_of_the_persons_away(layout: Layout) -> None:
    eject(layout, upkeep.Eject("10.0.0.1", "oslo"))
    mine = layout.secrets / "mine" / "password"
    mine.parent.mkdir()
    mine.touch()
    eject(layout, upkeep.Eject("10.0.0.1", "oslo"))
    assert mine.exists()


def test_an_unconfirmed_generation_is_not_ejected(layout: Layout) -> None:
    record(layout, Entry("r1", "hold", "held", DIGEST))
    with pytest.raises(StepError, match="not confirmed"):
        eject(layout, upkeep.Eject("10.0.0.1", "oslo"))
    assert layout.current.is_symlink()


@pytest.mark.parametrize(
    "leave",
    [
        lambda la: remove(la, upkeep.Remove("r1", "oslo")),
        lambda la: eject(la, upkeep.Eject("10.0.0.1", "oslo")),
    ],
)
def test_the_lock_goes_last_so_that_nobody_works_beside_the_one_who_leaves(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, leave: Callable[[Layout], object]
) -> None:
    """Whoever waits makes a new file where there is none, and has the host."""
    early = [name for name, locked in _taken_away(layout, monkeypatch, leave) if not locked]
    assert early == ["lock"]


def _taken_away(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, leave: Callable[[Layout], object], cut_after: int = 99
) -> list[tuple[str, bool]]:
    """Leave, cut short after so many; what goes, in order, and whether the lock still has its file then."""
    seen: list[tuple[str, bool]] = []

    def noted(real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Path, **more: Any) -> None:
            if len(seen) == cut_after:
                raise OSError(errno.EIO, "the power goes")
            real(path, **more)
            seen.append((path.name, layout.lock.exists()))

        return call

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", noted(shutil.rmtree))
        patch.setattr(Path, "unlink", noted(Path.unlink))
        leave(layout)
    return seen


def test_an_eject_that_was_cut_short_is_finished_by_the_same_command(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(one: Layout) -> object:
        return eject(one, upkeep.Eject("10.0.0.1", "oslo"))

    start = Start(tmp_path)
    for number in range(len(_taken_away(layout, monkeypatch, leave))):
        start.again()
        with pytest.raises(OSError, match="the power goes"):
            _taken_away(layout, monkeypatch, leave, cut_after=number)
        eject(layout, upkeep.Eject("10.0.0.1", "oslo"))
        assert layout.plain_compose_file.is_file()
        assert not layout.current.is_symlink()
        assert [path.name for path in layout.secrets.iterdir()] == ["temporal-green"]
