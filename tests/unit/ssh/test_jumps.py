"""The way to a host through another one: servers of ssh on loopback, and a stranger at the host's address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tempo_infra.errors import HostKeyError, InputError
from tempo_infra.inventory.cluster import Ssh, SshTransport
from tempo_infra.ssh import connect, offered_key, resolve
from tempo_infra.ssh.target import Target, jump_target
from tests.unit.ssh.servers import Sshd, new_key, sshd

BOTH = pytest.mark.parametrize("transport", list(SshTransport))


@dataclass
class Scene:
    """At the host's private address there is a stranger, from here; the bastion leads to the host."""

    bastion: Sshd
    host: Sshd
    stranger: Sshd
    target: Target


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    keys = {name: new_key(tmp_path / name) for name in ("bastion", "host", "stranger", "ours")}
    with sshd(keys["host"]) as host, sshd(keys["stranger"]) as stranger:
        address = "127.0.0.1", stranger.port
        with sshd(keys["bastion"], {address: ("127.0.0.1", host.port)}) as bastion:
            known = tmp_path / "known_hosts"
            known.write_text(bastion.known)
            yield Scene(
                bastion,
                host,
                stranger,
                Target(
                    "db-1",
                    *address,
                    "deploy",
                    (tmp_path / "ours",),
                    known,
                    (f"deploy@127.0.0.1:{bastion.port}",),
                ),
            )


@BOTH
def test_the_key_that_is_looked_at_is_that_of_the_host_behind_the_jump(
    scene: Scene, transport: SshTransport
) -> None:
    name, key = offered_key(replace(scene.target, transport=transport))
    assert name == f"[127.0.0.1]:{scene.stranger.port}"
    assert key == scene.host.key
    assert scene.bastion.asked[-1] == ("127.0.0.1", scene.stranger.port)
    assert scene.stranger.connections == 0


@BOTH
def test_a_jump_host_that_is_not_trusted_leads_nowhere(scene: Scene, transport: SshTransport) -> None:
    scene.target.known_hosts.write_text("")
    with pytest.raises(HostKeyError, match=r"the host key of the jump host \S+ is not known"):
        offered_key(replace(scene.target, transport=transport))
    assert scene.bastion.asked == []
    assert (scene.host.connections, scene.stranger.connections) == (0, 0)


def test_each_hop_is_looked_at_and_the_address_is_not_reached_from_here(scene: Scene, tmp_path: Path) -> None:
    scene.target.known_hosts.write_text(
        scene.bastion.known + scene.host.known.replace(str(scene.host.port), str(scene.stranger.port))
    )
    with connect(scene.target) as there:
        assert there.reached is None
    with connect(replace(scene.target, port=scene.bastion.port, jumps=())) as there:
        assert there.reached == "127.0.0.1"
    assert scene.stranger.connections == 0


CONFIG = """
Host inner
  HostName 192.0.2.7
  Port 2200
  User ops
  IdentityFile /keys/ops
Host odd
  Port ssh
Host db
  ProxyCommand corkscrew proxy 80 %h %p
Host plain
  ProxyCommand none
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config"
    file.write_text(CONFIG)
    return file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inner", ("ops", "192.0.2.7", 2200)),
        ("me@inner:22", ("me", "192.0.2.7", 22)),
        ("other", ("deploy", "other", 22)),
    ],
)
def test_an_alias_stands_for_a_jump_host_too(
    scene: Scene, config: Path, text: str, expected: tuple[str, str, int]
) -> None:
    hop = jump_target(text, replace(scene.target, keys=()), config)
    assert (hop.user, hop.address, hop.port) == expected
    assert hop.keys == ((Path("/keys/ops"),) if "inner" in text else ())


def test_an_alias_whose_port_is_none_is_no_jump_host(scene: Scene, config: Path) -> None:
    with pytest.raises(InputError, match=r"db-1: ProxyJump 'odd': expected \[user@\]host\[:port\]"):
        jump_target("odd", scene.target, config)


def test_a_program_that_leads_to_the_host_is_not_passed_by(config: Path) -> None:
    """Without it the address may be somebody else's, here."""
    ssh = Ssh("db", "deploy", 22, (), Path("/inventory/known_hosts"))
    with pytest.raises(InputError, match=r"reaches db by a ProxyCommand.*corkscrew proxy 80 db 22"):
        resolve("db-1", ssh, config)
    assert resolve("db-1", replace(ssh, proxy_jump="inner"), config).jumps == ("inner",)
    assert resolve("db-1", replace(ssh, address="plain"), config).jumps == ()
