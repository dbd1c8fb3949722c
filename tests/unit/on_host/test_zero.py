"""Generation 0: what someone had made by hand comes back whole, and a provision works as the first did."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import arming, containers, engine, generation, unattended, undo, units, which_engine
from tempo_infra.on_host.garbage import sweep
from tempo_infra.on_host.generation import switch
from tempo_infra.on_host.journal import Entry, confirmed, history, last_good, record
from tempo_infra.on_host.layout import ZERO, Layout
from tempo_infra.on_host.runs import read_runs
from tempo_infra.on_host.shell import Output, StepError
from tempo_infra.on_host.steps import change, reading
from tests.unit.on_host.a_host import Start, boot, make
from tests.unit.on_host.test_cut_at_every_write import MANY, back, cut_before

pytestmark = pytest.mark.thorough

SYSCTL, LIMITS = "etc/sysctl.d/60-tempo-infra.conf", "etc/security/limits.d/60-tempo-infra.conf"
THP, UNIT = "etc/tmpfiles.d/60-tempo-infra.conf", "etc/systemd/system/tempo-infra.service"
SWAPPINESS, SOMAXCONN = "proc/sys/vm/swappiness", "proc/sys/net/core/somaxconn"
HAND_MADE = "vm.swappiness = 42\n"
FIRST, SECOND, THIRD = "1" * 64, "2" * 64, "3" * 64
SHIPPED = {
    FIRST: {SYSCTL: "vm.swappiness = 1\n", LIMITS: "* hard nofile 9\n", UNIT: "[Unit]\n"},
    SECOND: {SYSCTL: "vm.swappiness = 2\nnet.core.somaxconn = 9\n", LIMITS: "* hard nofile 9\n", THP: "w\n"},
    THIRD: {SYSCTL: "net.core.somaxconn = 9\n", LIMITS: "* hard nofile 9\n", UNIT: "[Unit]\n"},
}


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A host with one file of ours made by hand, the others absent, and two generations staged."""
    made = make(tmp_path, monkeypatch)
    monkeypatch.setattr(generation, "run", lambda *_, **__: Output(0, "", ""))
    monkeypatch.setattr(units, "run", lambda *_, **__: Output(0, "", ""))
    monkeypatch.setattr(unattended, "end_scope", lambda _: None)
    made.current.unlink()
    made.journal.unlink()
    for path, text in {SYSCTL: HAND_MADE, SWAPPINESS: "42\n", SOMAXCONN: "4096\n"}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / SYSCTL).chmod(0o640)
    (tmp_path / LIMITS).unlink()
    for digest, files in SHIPPED.items():
        folder = made.generations / digest
        entries = {}
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
            entries[path] = {"sha256": sha256(text.encode()).hexdigest(), "mode": "0644"}
        (folder / "manifest.json").write_text(json.dumps({"files": entries, "services": {}}))
        (folder / "docker-compose.yml").write_text("services: {}\n")
    return made


def begin(layout: Layout, run: str, digest: str) -> None:
    now = layout.current.resolve().name if layout.current.is_symlink() else None
    arming.arm(layout, change.Arm(run, "someone", digest, now, "10.0.0.1", []))
    record(layout, Entry(run, "switch", "started", digest))
    switch(layout, change.Switch(digest, {}))


def go(layout: Layout, run: str, digest: str) -> None:
    begin(layout, run, digest)
    arming.healthy(layout, change.Healthy(run))
    arming.confirm(layout, change.Confirm(run, "health"))


def sysctl(layout: Layout, swappiness: int, somaxconn: int = 4096) -> None:
    """What the `sysctl` program would do, which no unit test may start."""
    (layout.root / SWAPPINESS).write_text(f"{swappiness}\n")
    (layout.root / SOMAXCONN).write_text(f"{somaxconn}\n")


def provisioned(layout: Layout) -> Layout:
    """Adopted, then changed once more: with a file and a kernel value that the first one did not have."""
    go(layout, "r1", FIRST)
    sysctl(layout, 1)
    go(layout, "r2", SECOND)
    sysctl(layout, 2, 9)
    return layout


def is_as_before(layout: Layout) -> bool:
    mode = layout.installed(SYSCTL).stat().st_mode & 0o777
    absent = [path for path in (LIMITS, THP, UNIT) if layout.installed(path).exists()]
    live = [(layout.root / path).read_text() for path in (SWAPPINESS, SOMAXCONN)]
    files = (layout.installed(SYSCTL).read_text(), oct(mode), absent)
    return (*files, layout.current.is_symlink()) == (HAND_MADE, "0o640", [], False) and live == [
        "42\n",
        "4096\n",
    ]


def is_second(layout: Layout) -> bool:
    texts = {path: layout.installed(path).read_text() for path in SHIPPED[SECOND]}
    return texts == SHIPPED[SECOND] and layout.current.resolve().name == SECOND


def test_files_of_before_come_back_and_what_was_absent_goes_also_of_later_generations(layout: Layout) -> None:
    provisioned(layout)
    assert is_second(layout)
    go(layout, "r3", ZERO)
    assert is_as_before(layout)
    assert guard.read(layout) is None
    assert guard.leavings(layout) == []


def test_a_file_made_by_hand_that_a_later_generation_is_the_first_to_own_comes_back(layout: Layout) -> None:
    go(layout, "r1", FIRST)
    layout.installed(THP).parent.mkdir(parents=True)
    layout.installed(THP).write_text("by hand\n")
    go(layout, "r2", SECOND)
    assert layout.installed(THP).read_text() == "w\n"
    go(layout, "r3", ZERO)
    assert layout.installed(THP).read_text() == "by hand\n"


def test_a_kernel_value_that_only_a_later_generation_set_is_given_back(layout: Layout) -> None:
    go(layout, "r1", FIRST)
    sysctl(layout, 1)
    go(layout, "r2", THIRD)
    sysctl(layout, 42, 9)  # the first one was given back by the switch
    go(layout, "r3", ZERO)
    assert is_as_before(layout)


def test_the_journal_and_the_status_say_that_generation_0_is_in_force(layout: Layout) -> None:
    go(provisioned(layout), "r3", ZERO)
    assert (confirmed(layout), last_good(layout), history(layout)) == (None, None, [FIRST, SECOND])
    told = read_runs(layout, reading.Runs())
    assert (told.current, told.confirmed, told.zero, told.phase) == (None, None, True, "")
    assert (told.entries[-1].result, told.entries[-1].generation) == ("confirmed", "")


def test_a_provision_after_it_is_a_first_one_and_leads_back_to_it(layout: Layout) -> None:
    go(provisioned(layout), "r3", ZERO)
    begin(layout, "r4", FIRST)
    armed = guard.read(layout)
    assert armed is not None
    assert armed.previous is None
    undo.failed(layout, armed, "serving: no")
    assert is_as_before(layout)
    go(layout, "r5", SECOND)
    assert is_second(layout)


def test_what_changed_by_hand_between_two_adoptions_is_the_next_generation_0(layout: Layout) -> None:
    go(provisioned(layout), "r3", ZERO)
    layout.installed(LIMITS).write_text("by hand\n")
    go(layout, "r4", FIRST)
    go(layout, "r5", ZERO)
    assert layout.installed(LIMITS).read_text() == "by hand\n"


def test_an_owned_file_that_was_edited_since_is_kept_aside(layout: Layout) -> None:
    provisioned(layout)
    layout.installed(LIMITS).write_text("# mine\n")
    go(layout, "r3", ZERO)
    assert not layout.installed(LIMITS).exists()
    assert (layout.state / "taken-over/r3" / LIMITS).read_text() == "# mine\n"
    assert not (layout.state / "taken-over/r3" / SYSCTL).exists()


def test_a_way_to_generation_0_that_fails_leads_back_to_the_current_one(layout: Layout) -> None:
    begin(provisioned(layout), "r3", ZERO)
    armed = guard.read(layout)
    assert armed is not None
    undo.failed(layout, armed, "before-ours: the engine does not answer")
    assert is_second(layout)
    assert confirmed(layout) == SECOND


def test_without_its_record_nothing_is_switched(layout: Layout) -> None:
    provisioned(layout)
    for path in sorted(layout.zero.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(StepError, match="generation 0 is gone"):
        begin(layout, "r3", ZERO)
    assert is_second(layout)


@pytest.mark.parametrize("who", ["a boot", "the timer"])
def test_a_cut_at_every_change_on_the_way_to_generation_0(layout: Layout, tmp_path: Path, who: str) -> None:
    """The host is the current generation or generation 0 after it, whoever decides."""
    start, seen, number = Start(provisioned(layout).root), [], 1
    while cut_before(number, lambda: go(layout, "r3", ZERO)):
        if who == "a boot":
            boot(tmp_path, "boot-2")
            back(layout)
        else:
            (tmp_path / "run/tempo-infra-r3").unlink(missing_ok=True)
            unattended.deadline(layout, "r3")
        assert guard.read(layout) is None
        seen.append("new" if is_as_before(layout) else "old")
        assert seen[-1] == "new" or is_second(layout), number
        assert confirmed(layout) == (None if seen[-1] == "new" else SECOND)
        start.again()
        number += 1
    assert seen == sorted(seen, reverse=True)
    assert (seen[0], seen[-1]) == ("old", "new")
    assert number > MANY


def test_our_containers_go_and_those_of_an_ejected_host_run_again(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[list[str]] = []

    def must(words: list[str], **_: object) -> Output:
        said.append(words[2:])
        return Output(0, "", "")

    monkeypatch.setattr(containers, "must", must)
    monkeypatch.setattr(containers, "run", must)
    monkeypatch.setattr(which_engine, "find", lambda **_: which_engine.Engine("28.5.1"))
    monkeypatch.setattr(engine, "listed", lambda *_, **__: [])
    containers.before_ours(layout)
    assert ["-p", "tempo-infra", "down", "--remove-orphans"] in said
    said.clear()
    (layout.services / "ui-abc").mkdir(parents=True)
    (layout.services / "ui-old").mkdir()
    layout.plain_compose_file.write_text(f"services:\n  source: {layout.services}/ui-abc\n")
    go(layout, "r1", FIRST)
    containers.before_ours(layout)
    assert said == [["-f", str(layout.zero_compose_file), "up", "-d", "--remove-orphans"]]
    sweep(layout, set())
    assert [path.name for path in layout.services.iterdir()] == ["ui-abc"]
