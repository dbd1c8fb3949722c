"""An engine is installed where there is none, and others that install at the same time are waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tempo_infra.on_host import bootstrap, which_engine
from tempo_infra.on_host.bootstrap import PACKAGES, install_docker, os_id
from tempo_infra.on_host.engine_here import Unfit
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.shell import Output, StepError
from tempo_infra.on_host.which_engine import Engine

DEBIAN_13 = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n'
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n'
FINE = Output(0, "", "")


@pytest.mark.parametrize(
    ("release", "expected"),
    [(DEBIAN_13, "debian-13"), (UBUNTU, "ubuntu-24.04"), ("ID=arch\n", "arch-"), ("", "unknown-")],
)
def test_a_distribution_is_named_by_id_and_version(release: str, expected: str) -> None:
    assert os_id(release) == expected


@pytest.mark.parametrize("name", ["debian-12", "debian-11", "ubuntu-20.04", "arch-"])
def test_distributions_with_an_old_compose_are_not_offered_their_own_packages(name: str) -> None:
    """Debian 12 has compose 1.29, which reads another file format."""
    assert name not in PACKAGES


class Machine:
    """A host's programs, answering from a script, and a clock that sleeping moves."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.layout, self.engine = Layout(root), Engine()
        self.ran: list[str] = []
        self.said: list[str] = []
        self.now = 0.0
        self.answers: Callable[[list[str]], Output] = lambda _: FINE
        self.each_pause: Callable[[], object] = lambda: None
        (root / "etc").mkdir()
        (root / "etc/os-release").write_text(DEBIAN_13)
        monkeypatch.setattr(which_engine, "find", lambda **_: self.engine)
        monkeypatch.setattr(bootstrap, "run", self._run)
        monkeypatch.setattr(bootstrap, "must", self._run)
        monkeypatch.setattr("tempo_infra.on_host.bootstrap.time.monotonic", lambda: self.now)
        monkeypatch.setattr("tempo_infra.on_host.bootstrap.time.sleep", self._sleep)

    def _run(self, words: Sequence[str], *, deadline_s: float) -> Output:
        assert 0 < deadline_s <= bootstrap.INSTALL_DEADLINE_S
        if words[:2] == ["systemctl", "is-failed"]:
            return self.answers(list(words)) if self.answers(list(words)).err else Output(1, "", "")
        self.ran.append(" ".join(words))
        return self.answers(list(words))

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.each_pause()

    def install(self) -> dict[str, list[str]]:
        return install_docker(self.layout, self.said.append)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_host_without_an_engine_gets_the_distributions(machine: Machine) -> None:
    assert machine.install() == {"installed": ["docker.io", "docker-cli", "docker-compose"]}
    assert machine.ran == [
        "apt-get update -q",
        "apt-get install -qy --no-install-recommends --no-remove docker.io docker-cli docker-compose",
        "systemctl enable --now docker.service",
    ]
    assert machine.said == []


def test_an_engine_that_is_fit_is_kept(machine: Machine) -> None:
    machine.engine = Engine("28.5.1")
    assert machine.install() == {"installed": []}
    assert machine.ran == []


@pytest.mark.parametrize("version", ["5.4.2", None])
def test_nothing_is_put_beside_an_engine_that_is_not(machine: Machine, version: str | None) -> None:
    """Whether it answers, as Podman, or not, as one that is stopped, or a snap."""
    machine.engine = Engine(version, [Unfit("Docker is a snap here", "snap remove docker")])
    with pytest.raises(StepError, match=r"^Docker is a snap here$") as refused:
        machine.install()
    assert refused.value.remedy == "snap remove docker"
    assert machine.ran == []


BY = "It is held by process 4711 (unattended-upgr)\n"
HELD = [
    f"E: Could not get lock /var/lib/dpkg/lock-frontend. {BY}E: Unable to acquire the dpkg frontend lock",
    f"E: Could not get lock /var/lib/apt/lists/lock. {BY}E: Unable to lock directory /var/lib/apt/lists/",
    f"Error: Could not get lock /var/cache/apt/archives/lock. {BY}Error: Unable to lock the folder",
]


@pytest.mark.parametrize("words", ["update", "install"])
@pytest.mark.parametrize("held", HELD)
def test_whoever_has_a_lock_is_waited_for_and_named(machine: Machine, words: str, held: str) -> None:
    machine.answers = lambda ran: Output(100, "", held) if ran[1] == words and machine.now < 90 else FINE
    assert machine.install()["installed"]
    assert machine.now == 90
    assert machine.said[0] == "waits for process 4711 (unattended-upgr), 600 s at most"
    assert len(machine.said) == 3  # now and then, not every time


def test_waiting_has_an_end_that_says_for_whom(machine: Machine) -> None:
    machine.answers = lambda ran: Output(100, "", HELD[0]) if ran[0] == "apt-get" else FINE
    with pytest.raises(StepError, match=r"^waited 600 s for process 4711 \(unattended-upgr\)$"):
        machine.install()
    assert 600 < machine.now < 610


def test_another_error_of_apts_is_not_waited_for(machine: Machine) -> None:
    machine.answers = lambda ran: (
        Output(100, "", "E: Unable to locate package docker.io") if "-qy" in ran else FINE
    )
    with pytest.raises(StepError, match=r"`apt-get install`: E: Unable to locate package docker\.io"):
        machine.install()
    assert machine.now == 0


def test_packages_of_the_host_are_not_taken_away(machine: Machine) -> None:
    """containerd.io of a Kubernetes node, podman-docker."""
    out = (
        "The following packages will be REMOVED:\n  containerd.io podman-docker\nThe following NEW packages\n"
    )
    err = "E: Packages need to be removed but remove is disabled."
    machine.answers = lambda ran: Output(100, out, err) if "-qy" in ran else FINE
    with pytest.raises(
        StepError, match=r"would take packages of this host away: containerd\.io, podman-docker$"
    ):
        machine.install()


def test_cloud_init_is_waited_for_it_may_install_an_engine(machine: Machine) -> None:
    folder = machine.layout.root / "run/cloud-init"
    folder.mkdir(parents=True)
    (folder / "status.json").write_text("{}")

    def ends() -> None:
        if machine.now >= 40:
            (folder / "result.json").write_text("{}")
            machine.engine = Engine("28.5.1")

    machine.each_pause = ends
    assert machine.install() == {"installed": []}
    assert (machine.now, machine.ran) == (40, [])
    assert machine.said[0] == "waits for cloud-init, which sets this machine up, 600 s at most"


def test_a_cloud_init_that_never_ends_is_not_waited_for_without_end(machine: Machine) -> None:
    folder = machine.layout.root / "run/cloud-init"
    folder.mkdir(parents=True)
    (folder / "status.json").write_text("{}")
    with pytest.raises(StepError, match=r"^waited 600 s for cloud-init"):
        machine.install()
    machine.now, machine.answers = 0.0, lambda _: Output(0, "", "failed")
    machine.engine = Engine("28.5.1")
    assert machine.install() == {"installed": []}
    assert machine.now == 0


def test_a_distribution_without_packages_is_told_so(machine: Machine) -> None:
    (machine.layout.root / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\n')
    with pytest.raises(StepError, match="debian-12: its own packages hold no Docker engine"):
        machine.install()
    assert machine.ran == []
