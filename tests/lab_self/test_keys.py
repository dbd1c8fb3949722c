"""What hosts and clients are told about keys and names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.keys import hosts_file, known_hosts, write_if_changed
from lab.spec import rack

if TYPE_CHECKING:
    from pathlib import Path


def test_known_hosts_has_a_line_for_each_address() -> None:
    """Address, kind and key; the comment of the public key is left out."""
    keys = {"127.0.1.11": "ssh-ed25519 AAAA front-1\n", "127.0.1.12": "ssh-ed25519 BBBB history-1\n"}
    assert known_hosts(keys, 22) == "127.0.1.11 ssh-ed25519 AAAA\n127.0.1.12 ssh-ed25519 BBBB\n"


def test_another_port_stands_in_brackets() -> None:
    """OpenSSH looks up [address]:port when the port is not 22."""
    assert known_hosts({"127.0.1.11": "ssh-ed25519 AAAA x"}, 2222) == "[127.0.1.11]:2222 ssh-ed25519 AAAA\n"


def test_hosts_know_the_registry_and_each_other() -> None:
    """Names of the first three hosts, by internal address."""
    assert hosts_file(rack(3)) == (
        "10.99.0.2 registry.lab\n10.99.0.11 front-1\n10.99.0.12 history-1\n10.99.0.13 db-1\n"
    )


def test_unchanged_files_are_not_written_again(tmp_path: Path) -> None:
    """The same text leaves the file alone; another one replaces it."""
    path = tmp_path / "file"
    write_if_changed(path, "one")
    before = path.stat().st_ino
    write_if_changed(path, "one")
    assert path.stat().st_ino == before
    write_if_changed(path, "two")
    assert path.read_text() == "two"
