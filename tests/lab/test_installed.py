"""check-host as people install it: a wheel in a fresh environment, an empty folder, `user@host`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from lab.hosts import Host, Lab
from tests.lab.conftest import CHECKOUT

pytestmark = pytest.mark.faults  # minutes on a busy machine


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a fresh environment that holds the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("installed")
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(CHECKOUT),
    ]
    subprocess.run(build, check=True, capture_output=True)
    venv.create(folder / "venv", with_pip=True)
    pip: list[str | Path] = [
        folder / "venv/bin/python",
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
    ]
    [wheel] = folder.glob("*.whl")
    subprocess.run([*pip, "-c", CHECKOUT / "constraints.txt", wheel], check=True)
    return folder / "venv/bin/tempo-infra"


@pytest.fixture
def home(lab: Lab, tmp_path: Path) -> Path:
    """An operator's home with a key and the hosts that ssh knows, and an empty folder to stand in."""
    ssh = tmp_path / "home/.ssh"
    ssh.mkdir(parents=True, mode=0o700)
    shutil.copy(lab.key, ssh / "id_ed25519")
    shutil.copy(lab.known_hosts, ssh / "known_hosts")
    (tmp_path / "empty").mkdir()
    return tmp_path / "home"


def check(command: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONUTF8": "1"}
    return subprocess.run(
        [command, "check-host", *words],
        cwd=home.parent / "empty", env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def host(lab: Lab) -> Host:
    return lab.hosts[0]


def test_a_rented_host_is_checked_by_its_address_alone(command: Path, home: Path, host: Host) -> None:
    done = check(command, home, f"deploy@{host.ssh_address}:{host.ssh_port}", "--quick")
    assert done.stderr == ""
    assert done.returncode == 1  # a lab host is a container, and its clock is nobody's
    assert "not fit for its class (NVMe-Series): virt.kind" in " ".join(done.stdout.split())
    assert done.stdout.splitlines()[-1].endswith("exit 1")
    assert list((home.parent / "empty").iterdir()) == []


def test_a_host_that_ssh_does_not_know_is_refused_with_what_to_do(
    command: Path, home: Path, host: Host
) -> None:
    (home / ".ssh/known_hosts").write_text("")
    done = check(command, home, f"deploy@{host.ssh_address}", "--quick")
    assert done.returncode == 3
    assert "compare it with the provider's console" in " ".join(done.stdout.split())


def test_this_machine_is_checked_and_reported_in_every_format(command: Path, home: Path) -> None:
    names = ("r.html", "r.json", "r.xml", "r.sarif", "r.md", "r.prom", "r.txt")
    done = check(
        command, home, "--local", "--quick", *(word for name in names for word in ("--output", name))
    )
    assert done.returncode in (0, 1, 3)
    assert {path.name for path in (home.parent / "empty").iterdir()} == set(names)
