"""What only looks writes nothing anywhere: beside the inventory, at home, among temporary files."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tempo_infra.cli.main import app
from tempo_infra.inventory import load
from tempo_infra.secrets import SecretStore

pytestmark = pytest.mark.thorough

EXAMPLE = Path(__file__).parents[3] / "inventory" / "single.yaml"
LOOKING = [
    ["plan"],
    ["plan", "--format", "json"],
    ["plan", "--no-diff", "--detailed-exitcode"],
    ["diff"],
    ["status"],
    ["history"],
    ["resume", "7f3a9c01"],
    ["check-host"],
    ["check-host", "--format", "json"],
    ["render"],
    ["render", "--stdout"],
    ["explain"],
    ["capacity"],
    ["inventory", "show"],
    ["secrets", "show-recipients"],
    ["backups"],
]
WITHOUT_INVENTORY = [
    ["check-host", "nobody@127.0.0.1:9"],
    ["checks", "list"],
    ["inventory", "schema"],
    ["worker-options", "--sdk", "go", "--vcpu", "4", "--memory", "8GiB"],
]
REFUSED = [
    ["backup", "now"],
    ["provision"],
    ["secrets", "rotate"],
    ["secrets", "rekey"],
]  # nobody answers, so nothing is begun


def tree(folder: Path) -> dict[str, str]:
    """Everything below a folder: names, kinds, modes and contents."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        text = sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = f"{mode:o} {text}"
    return found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home, a working folder with an inventory whose host is silent, and a place for temporary files."""
    for name, variable in (("home", "HOME"), ("tmp", "TMPDIR")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    for variable in (
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "XDG_STATE_HOME",
        "TEMPO_INFRA_IDENTITY",
        "SSH_AUTH_SOCK",
    ):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with socket.socket() as held:  # bound, and nobody listens
        held.bind(("127.0.0.1", 0))
        text = EXAMPLE.read_text().replace("address: 203.0.113.10", "address: 127.0.0.1")
        text = text.replace("user: deploy", f"user: deploy\n  port: {held.getsockname()[1]}")
        Path("inventory.yaml").write_text(text)
        yield tmp_path


def ran(words: list[str]) -> str:
    result = CliRunner().invoke(app, words)
    return f"{result.output}{result.exception}"


@pytest.mark.parametrize("words", [*LOOKING, *WITHOUT_INVENTORY, *REFUSED], ids=" ".join)
def test_with_nothing_there_yet(world: Path, words: list[str]) -> None:
    before = tree(world)
    said = ran(words)
    assert said
    assert tree(world) == before, said


@pytest.mark.parametrize("words", [*LOOKING, *REFUSED], ids=" ".join)
def test_with_a_secrets_file_that_others_made(world: Path, words: list[str]) -> None:
    """As in a colleague's new clone: there is a file, and no identity that opens it."""
    SecretStore.open(load(Path("inventory.yaml")).secrets, world / "alice").ensure(["temporal_db"])
    before = tree(world)
    ran(words)
    assert tree(world) == before


@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
def test_with_a_pinned_host_key_and_an_identity_of_ones_own(world: Path, transport: str) -> None:
    """Everything is there, so that hosts are really tried."""
    if transport == "openssh" and shutil.which("ssh") is None:
        pytest.skip("no ssh on this machine")
    inventory = Path("inventory.yaml")
    inventory.write_text(inventory.read_text().replace("  port:", f"  transport: {transport}\n  port:"))
    SecretStore.open(load(inventory).secrets).ensure(["temporal_db"])
    port = load(inventory).hosts[0].ssh.port
    key = "AAAAC3NzaC1lZDI1NTE5AAAAIIWzlXqNaK45IzJPuJdzZz3XNKsaXSkGxY0XykfJsCSI"
    Path("known_hosts").write_text(f"[127.0.0.1]:{port} ssh-ed25519 {key}\n")
    before = tree(world)
    for words in (["plan"], ["diff"], ["status"], ["check-host"], ["provision"]):
        ran(words)
        assert tree(world) == before, words


def test_the_command_itself_leaves_nothing_in_the_folder_that_it_is_started_in(world: Path) -> None:
    before = tree(world)
    words = [sys.executable, "-c", "import tempo_infra.cli.main as m; m.run()", "plan"]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(words, capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 1, done.stderr  # images without a digest; a host that is not there would be 3
    assert tree(world) == before


def test_a_plan_says_that_a_password_will_be_made_and_makes_none(world: Path) -> None:
    said = ran(["plan"])
    assert "identity" not in said
    assert "generated temporal_db" not in said
    assert not Path("secrets.age").exists()
    assert not (world / "home/.config").exists()


def test_whoever_has_no_identity_is_told_how_to_make_one(world: Path) -> None:
    SecretStore.open(load(Path("inventory.yaml")).secrets, world / "alice").ensure(["temporal_db"])
    said = ran(["plan"])
    assert "nothing: you have no identity yet" in said
    made = ran(["secrets", "identity"])
    assert "made your identity" in made
    key = next(line for line in made.splitlines() if line.startswith("age1"))
    assert (world / "home/.config/tempo-infra/identity.txt").is_file()
    assert key in ran(["secrets", "identity"])  # the same again
