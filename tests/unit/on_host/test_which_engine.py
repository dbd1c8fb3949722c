"""What answers on the socket is asked what it is; where nothing does, what lies on the host is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tempo_infra.on_host import engine, which_engine
from tempo_infra.on_host.probes import docker
from tempo_infra.on_host.which_engine import find
from tests.unit.on_host.an_engine import Engine, recorded

FOLDERS = ("var/lib/docker", "var/lib/docker/755360.755360", "var/snap/docker/common/var-lib-docker")
UNIT = "usr/lib/systemd/system/docker.service"
STATUS = "Package: {}\nStatus: install ok {}\nPriority: optional\n\n"


def write(path: Path, text: str = "", mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host where Docker is installed as its packages do it, and nothing else."""
    for folder in (*FOLDERS, "var/lib/containers/storage", "home/deploy/.local/share/docker"):
        (tmp_path / folder).mkdir(parents=True)
    write(tmp_path / UNIT)
    write(tmp_path / "usr/bin/docker", "\x7fELF", 0o755)
    return tmp_path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host where nothing answers, and nothing of an engine lies yet."""
    monkeypatch.setattr(engine, "SOCKET", str(tmp_path / "none"))
    (tmp_path / "proc").mkdir()
    return tmp_path


@pytest.fixture
def plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Engine]]:
    made: list[Engine] = []

    def play(kind: str) -> Engine:
        path = tmp_path / f"s{len(made)}"
        monkeypatch.setattr(engine, "SOCKET", str(path))
        made.append(Engine(path, recorded(kind)))
        return made[-1]

    yield play
    for one in made:
        one.server.close()


@pytest.mark.parametrize(
    ("kind", "version"),
    [("docker.io", "26.1.5+dfsg1"), ("docker-ce", "28.5.1"), ("iptables-false", "26.1.5+dfsg1")],
)
def test_docker_itself_is_fit(host: Path, plays: Callable[[str], Engine], kind: str, version: str) -> None:
    plays(kind)
    found = find(deadline_s=5, root=host)
    assert (found.version, found.unfit, found.absent) == (version, [], False)


@pytest.mark.parametrize(
    ("kind", "what", "remedy"),
    [
        ("podman", "Podman 5.4.2 answers on Docker's socket", "apt-get remove podman-docker"),
        ("rootless", "Docker is rootless here", "dockerd-rootless-setuptool.sh uninstall"),
        ("userns-remap", "other users (userns-remap)", "take userns-remap out of /etc/docker/daemon.json"),
        (
            "snap",
            "Docker is a snap here: it can't give containers /var/lib/tempo-infra",
            "snap remove docker",
        ),
        ("desktop", "Docker Desktop runs containers in a machine of its own", "on the host itself"),
    ],
)
def test_another_kind_is_named_with_what_to_do(
    host: Path, plays: Callable[[str], Engine], kind: str, what: str, remedy: str
) -> None:
    plays(kind)
    found = find(deadline_s=5, root=host)
    assert found.version
    [unfit] = found.unfit
    assert what in unfit.what
    assert remedy in unfit.remedy


def test_whatever_else_answers_is_not_taken_for_docker(host: Path, plays: Callable[[str], Engine]) -> None:
    played = plays("docker.io")
    played.answers["/version"] = {"Version": "1.0", "Components": [{"Name": "nerd", "Version": "1.0"}]}
    assert find(deadline_s=5, root=host).unfit[0].what == "nerd answers on Docker's socket, not Docker"
    played.answers["/version"] = ["no"]
    assert "is no Docker engine" in find(deadline_s=5, root=host).unfit[0].what
    played.raw = b"SSH-2.0-OpenSSH_10\r\n"
    assert "no HTTP answer" in find(deadline_s=5, root=host).unfit[0].what


def test_an_engine_whose_data_is_not_here_runs_elsewhere(host: Path, plays: Callable[[str], Engine]) -> None:
    """A socket that ssh forwards, or that a container passes on."""
    plays("docker.io")
    (host / "var/lib/docker").rename(host / "var/lib/away")
    assert (
        "keeps its data in /var/lib/docker, and this host has none"
        in find(deadline_s=5, root=host).unfit[0].what
    )


def test_an_engine_that_no_unit_starts_is_refused(host: Path, plays: Callable[[str], Engine]) -> None:
    """What puts a change back at a boot is ordered before docker.service."""
    plays("docker.io")
    (host / UNIT).rename(host / "etc-docker.service")
    assert "no unit docker.service starts the engine" in find(deadline_s=5, root=host).unfit[0].what


def test_an_engine_without_its_program_is_said(host: Path, plays: Callable[[str], Engine]) -> None:
    plays("docker.io")
    (host / "usr/bin/docker").unlink()
    [unfit] = find(deadline_s=5, root=host).unfit
    assert "root finds no `docker` program" in unfit.what
    assert "docker-cli" in unfit.remedy


@pytest.mark.parametrize("how", ["script", "link"])
def test_a_program_that_is_podmans_would_ask_podman(
    host: Path, plays: Callable[[str], Engine], how: str
) -> None:
    plays("docker.io")
    (host / "usr/bin/docker").unlink()
    if how == "script":
        write(host / "usr/bin/docker", '#!/bin/sh\nexec /usr/bin/podman "$@"\n', 0o755)
    else:
        write(host / "usr/bin/podman", "\x7fELF", 0o755)
        (host / "usr/bin/docker").symlink_to("podman")
    assert "docker is Podman's, and the engine is Docker's" in find(deadline_s=5, root=host).unfit[0].what


def daemon(
    host: Path, words: str, *, uid: int = 0, exe: str = "/usr/bin/dockerd", cgroup: str = "0::/x\n"
) -> Path:
    folder = host / "proc/4711"
    write(folder / "comm", "dockerd\n")
    write(folder / "cgroup", cgroup)
    write(folder / "cmdline", words.replace(" ", "\0") + "\0")
    (folder / "exe").symlink_to(exe)
    os.chown(folder, uid, uid)
    return folder


NO_RULES = [
    ("", '{"iptables": false}', False),
    ("dockerd -H fd:// --iptables=false", "{}", False),
    ("dockerd --config-file=/etc/other.json", '{"iptables": true}', True),
    ("dockerd --config-file /etc/other.json", '{"iptables": true}', True),
    ("dockerd --ip-masq=false", "{}", True),
    ("", '{"ip-masq": false}', True),
    ("", "{", True),
    ("", "[]", True),
]


@pytest.mark.parametrize(("words", "settings", "filters"), NO_RULES)
def test_an_engine_that_makes_no_rules_says_so(
    host: Path, plays: Callable[[str], Engine], words: str, settings: str, *, filters: bool
) -> None:
    """It does not masquerade its default network then; that alone may be asked for, too."""
    plays("iptables-false")
    write(host / "etc/docker/daemon.json", settings)
    if words:
        daemon(host, words)
    assert find(deadline_s=5, root=host).filters is filters


def test_an_engine_that_masquerades_makes_rules_whatever_a_file_says(
    host: Path, plays: Callable[[str], Engine]
) -> None:
    """The file may have been changed since it was started."""
    plays("docker.io")
    write(host / "etc/docker/daemon.json", '{"iptables": false}')
    assert find(deadline_s=5, root=host).filters


def test_the_file_of_the_running_engine_counts(host: Path, plays: Callable[[str], Engine]) -> None:
    plays("iptables-false")
    write(host / "etc/other.json", json.dumps({"iptables": False}))
    daemon(host, "dockerd --config-file /etc/other.json")
    assert not find(deadline_s=5, root=host).filters


@pytest.mark.parametrize("what", ["pipe", "endless", "nested", "folder"])
def test_whatever_a_process_names_as_its_settings_is_read_to_an_end(
    host: Path, plays: Callable[[str], Engine], what: str
) -> None:
    """A process is called dockerd, and has its words, as whoever starts it likes."""
    plays("iptables-false")
    settings = host / "etc/settings"
    write(settings, "[" * 100_000)
    if what != "nested":
        settings.unlink()
    if what == "pipe":
        os.mkfifo(settings)
    elif what == "endless":
        settings.symlink_to("/dev/zero")
    elif what == "folder":
        settings.mkdir()
    daemon(host, "dockerd --config-file /etc/settings")
    done = run_aside(
        "from tempo_infra.on_host.which_engine import makes_rules", f"makes_rules(Path({str(host)!r}))"
    )
    assert done == "True"


def test_a_process_of_an_ordinary_user_is_not_the_engine_that_answers(
    host: Path, plays: Callable[[str], Engine]
) -> None:
    plays("iptables-false")
    daemon(host, "dockerd --iptables=false", uid=1000)
    assert find(deadline_s=5, root=host).filters


def run_aside(*lines: str) -> str:
    """Run Python that may hang or take all memory; what the last line comes to."""
    *first, last = lines
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))"
    text = "\n".join((limit, "from pathlib import Path", *first, f"print({last})"))
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()


def test_nothing_at_all_is_no_engine(bare: Path) -> None:
    assert find(deadline_s=1, root=bare).absent


PASSWD = "root:x:0:0:root:/root:/bin/bash\ndeploy:x:1000:1000::/home/deploy:/bin/bash\n"
HERE: dict[str, tuple[Callable[[Path], object], str]] = {
    "dockerd": (
        lambda host: daemon(host, "dockerd"),
        "dockerd runs (pid 4711) and does not answer: Cannot connect",
    ),
    "rootless": (
        lambda host: (write(host / "etc/passwd", PASSWD), daemon(host, "dockerd", uid=1000)),
        "Docker is rootless here (dockerd, pid 4711, of deploy)",
    ),
    "rootless of nobody known": (lambda host: daemon(host, "dockerd", uid=77), "of uid 77"),
    "stopped rootless": (
        lambda host: (
            write(host / "etc/passwd", PASSWD),
            write(host / "home/deploy/.config/systemd/user/docker.service"),
        ),
        "Docker is rootless here (",
    ),
    "snap's dockerd": (
        lambda host: daemon(host, "dockerd", exe="/snap/docker/2932/bin/dockerd"),
        "Docker is a snap here",
    ),
    "stopped snap": (lambda host: (host / "snap/docker").mkdir(parents=True), "Docker is a snap here"),
    "snap's unit": (
        lambda host: write(host / "etc/systemd/system/snap.docker.dockerd.service"),
        "Docker is a snap here",
    ),
    "podman-docker": (
        lambda host: write(host / "var/lib/dpkg/status", STATUS.format("podman-docker", "installed")),
        "Docker is Podman here (package podman-docker)",
    ),
    "podman by a script of one's own": (
        lambda host: write(host / "usr/local/bin/docker", "#!/bin/bash\npodman $@\n", 0o755),
        "Docker is Podman here (",
    ),
    "docker-ce": (
        lambda host: write(host / "var/lib/dpkg/status", STATUS.format("docker-ce", "installed")),
        "docker-ce is installed and does not answer: Cannot connect",
    ),
    "docker.io, half installed": (
        lambda host: write(host / "var/lib/dpkg/status", STATUS.format("docker.io", "half-configured")),
        "docker.io is installed and does not answer",
    ),
    "a program": (
        lambda host: write(host / "usr/local/bin/dockerd", "\x7fELF", 0o755),
        "usr/local/bin/dockerd is installed and does not answer",
    ),
    "a unit": (lambda host: write(host / UNIT), "docker.service is installed and does not answer"),
}


@pytest.mark.parametrize("what", HERE)
def test_an_engine_that_does_not_answer_is_found_all_the_same(bare: Path, what: str) -> None:
    put, says = HERE[what]
    put(bare)
    found = find(deadline_s=1, root=bare)
    assert (found.version, found.absent) == (None, False)
    [unfit] = found.unfit
    assert says in unfit.what
    assert unfit.remedy


NOT_HERE: dict[str, Callable[[Path], object]] = {
    "removed, its settings kept": lambda host: write(
        host / "var/lib/dpkg/status", "Package: docker.io\nStatus: deinstall ok config-files\n\n"
    ),
    "Podman alone": lambda host: write(host / "var/lib/dpkg/status", STATUS.format("podman", "installed")),
    "a dock for the desktop": lambda host: write(
        host / "var/lib/dpkg/status", STATUS.format("docker", "installed")
    ),
    "settings": lambda host: write(host / "etc/docker/daemon.json", "{}"),
    "an engine in a container": lambda host: daemon(
        host, "dockerd", cgroup=f"0::/system.slice/docker-{'a' * 64}.scope\n"
    ),
}


@pytest.mark.parametrize("what", NOT_HERE)
def test_what_is_no_engine_is_none(bare: Path, what: str) -> None:
    NOT_HERE[what](bare)
    assert find(deadline_s=1, root=bare).absent


def test_a_socket_that_its_engine_left_behind_is_no_engine(
    bare: Path, plays: Callable[[str], Engine]
) -> None:
    plays("docker.io").server.close()
    assert find(deadline_s=1, root=bare).absent
    write(bare / UNIT)
    assert "Connection refused" in find(deadline_s=1, root=bare).unfit[0].what


def test_an_engine_that_hangs_is_there(host: Path, plays: Callable[[str], Engine]) -> None:
    played = plays("docker.io")
    played.silent.set()
    found = find(deadline_s=0.2, root=host)
    assert not found.absent
    assert "gave no answer in 0.2 s" in found.unfit[0].what


def probed(monkeypatch: pytest.MonkeyPatch, host: Path) -> docker.Docker:
    monkeypatch.setattr(which_engine, "find", lambda *, deadline_s: find(deadline_s=deadline_s, root=host))
    return docker.read()


def test_facts_say_the_same_as_the_plan(
    host: Path, plays: Callable[[str], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    played = plays("podman")
    played.answers["/containers/json"] = []
    facts = probed(monkeypatch, host)
    kind = facts.kind.value
    assert kind is not None
    assert kind.unfit == tuple(find(deadline_s=5, root=host).unfit)
    assert (facts.engine.not_wanted, facts.compose.not_wanted) == (True, True)  # its version is not Docker's
    assert facts.containers.value == ()


def test_facts_of_the_systems_own_docker(
    host: Path, plays: Callable[[str], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    plays("docker.io").answers["/containers/json"] = []
    facts = probed(monkeypatch, host)
    assert (facts.engine.value, facts.containerd.value) == ("26.1.5", "1.7.24")
    assert facts.cgroups.value == docker.Cgroups("2", "systemd")
    assert facts.kind.value == docker.Kind()


def test_facts_of_a_host_without_an_engine(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = probed(monkeypatch, bare)
    assert {one.not_wanted for one in (facts.engine, facts.kind, facts.containers)} == {True}
    write(bare / UNIT)
    facts = probed(monkeypatch, bare)
    assert (facts.engine.value, facts.engine.not_wanted) == (None, False)
    assert facts.kind.value == docker.Kind(answers=False, unfit=(*find(deadline_s=1, root=bare).unfit,))


@pytest.mark.parametrize(("told", "fit"), [("N/A", False), ("", True), ("de40ad0", True)])
def test_an_engine_without_an_init_is_named_before_a_container_fails(
    host: Path, plays: Callable[[str], Engine], told: str, *, fit: bool
) -> None:
    playing = plays("docker-ce")
    info = playing.answers["/info"]
    assert isinstance(info, dict)
    playing.answers["/info"] = {**info, "InitBinary": "docker-init", "InitCommit": {"ID": told}}
    found = find(deadline_s=5, root=host)
    assert [one.what.partition(":")[0] for one in found.unfit] == (
        [] if fit else ["Docker has no init to give to containers (docker-init)"]
    )
