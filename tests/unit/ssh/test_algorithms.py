"""What is never negotiated: hosts that offer nothing else, on loopback, over both transports."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from paramiko import RSAKey

from tempo_infra.errors import UnreachableError
from tempo_infra.inventory.cluster import SshTransport
from tempo_infra.ssh import connect, offered_key, openssh_config
from tempo_infra.ssh.algorithms import CIPHERS, KEY_EXCHANGES, MACS, SIGNATURES, allowed
from tempo_infra.ssh.target import Target
from tests.unit.ssh.servers import Sshd, new_key, sshd

BOTH = pytest.mark.parametrize("transport", list(SshTransport))
# As OpenSSH 9.2 lists them (`ssh -Q`), 8.0 beside them: what each one offers today has to be left.
TABLE = [
    (
        CIPHERS,
        ["3des-cbc", "aes128-cbc", "aes256-cbc", "rijndael-cbc@lysator.liu.se", "arcfour256", "blowfish-cbc"],
        ["aes128-ctr", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"],
    ),
    (
        MACS,
        ["hmac-sha1", "hmac-sha1-96", "hmac-md5", "hmac-md5-96-etm@openssh.com", "hmac-sha1-etm@openssh.com"],
        ["hmac-sha2-256", "hmac-sha2-512-etm@openssh.com", "umac-128@openssh.com"],
    ),
    (
        KEY_EXCHANGES,
        ["diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group-exchange-sha1"],
        [
            "diffie-hellman-group14-sha256",
            "diffie-hellman-group16-sha512",
            "sntrup761x25519-sha512@openssh.com",
            "curve25519-sha256@libssh.org",
        ],
    ),
    (
        SIGNATURES,
        ["ssh-rsa", "ssh-dss", "ssh-rsa-cert-v01@openssh.com"],
        ["ssh-ed25519", "rsa-sha2-256", "rsa-sha2-512-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com"],
    ),
]


@pytest.mark.parametrize(("never", "weak", "fine"), TABLE)
def test_what_is_weak_goes_and_what_every_openssh_has_stays(
    never: tuple[str, ...], weak: list[str], fine: list[str]
) -> None:
    assert allowed((*weak, *fine), never) == tuple(fine)


WEAK = [
    ({"ciphers": ("aes128-cbc", "3des-cbc")}, "cipher"),
    ({"digests": ("hmac-md5", "hmac-sha1")}, "MAC|mac"),
]


def target(server: Sshd, folder: Path, transport: SshTransport) -> Target:
    known = folder / "known_hosts"
    known.write_text(server.known)
    return Target("db-1", "127.0.0.1", server.port, "deploy", (folder / "ours",), known, transport=transport)


@BOTH
@pytest.mark.parametrize(("offers", "word"), WEAK)
def test_a_host_that_offers_nothing_else_is_refused_with_what_to_do(
    offers: dict[str, tuple[str, ...]], word: str, transport: SshTransport, tmp_path: Path
) -> None:
    new_key(tmp_path / "ours")
    with sshd(new_key(tmp_path / "host"), offers=offers) as server:
        where = target(server, tmp_path, transport)
        with pytest.raises(UnreachableError, match=rf"key exchange to 127.0.0.1:\d+ .*({word})") as refused:
            offered_key(where)
        assert "no method in common that is not weak" in refused.value.remedy
        with pytest.raises(UnreachableError), connect(where) as there:
            there.run(["true"], deadline_s=5)


@BOTH
def test_a_host_with_an_rsa_key_signs_by_sha_2(transport: SshTransport, tmp_path: Path) -> None:
    new_key(tmp_path / "ours")
    with sshd(RSAKey.generate(2048)) as server:
        assert offered_key(target(server, tmp_path, transport))[1] == server.key


def asked(folder: Path, own: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...]]:
    """What ssh itself makes of our configuration and the operator's."""
    (folder / "own").write_text(own)
    monkeypatch.setattr(openssh_config, "OPERATORS", (folder / "own",))
    where = Target("db-1", "192.0.2.1", 22, "deploy", (), folder / "known_hosts")
    (folder / "config").write_text(openssh_config.config_text(where))
    words = ["ssh", "-G", "-F", str(folder / "config"), "192.0.2.1"]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    found = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
    return {option: tuple(names.split(",")) for option, names in found.items()}


OPTIONS = {
    "ciphers": CIPHERS,
    "macs": MACS,
    "kexalgorithms": KEY_EXCHANGES,
    "hostkeyalgorithms": SIGNATURES,
    "pubkeyacceptedalgorithms": SIGNATURES,
}


@pytest.mark.parametrize("option", list(OPTIONS))
def test_the_systems_ssh_is_run_without_them(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = asked(tmp_path, "", monkeypatch)[option]
    assert len(names) > 2
    assert allowed(names, OPTIONS[option]) == names


def test_a_list_of_the_operators_own_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(tmp_path, "Ciphers aes256-ctr\nMACs +hmac-md5\n", monkeypatch)
    assert found["ciphers"] == ("aes256-ctr",)
    assert "hmac-md5" in found["macs"]
