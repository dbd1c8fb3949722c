"""Where a host is and how one logs in there: the inventory's word, completed by ~/.ssh/config."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tempo_infra.errors import InputError, UnreachableError, cause
from tempo_infra.inventory.addresses import with_port
from tempo_infra.inventory.cluster import SshTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paramiko import PKey

    from tempo_infra.inventory.cluster import Ssh

DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")  # as OpenSSH tries them
MAX_KEYS = 5  # sshd's MaxAuthTries is 6 by default
MOST_KEY_BYTES = 64 * 1024  # of a file with one key; RSA of 16384 bits takes 13 KiB
JUMP = re.compile(r"(ssh://)?((?P<user>[^@\s]+)@)?(?P<host>\[[^]\s]+\]|[^@:\s\[\]/]+)(:(?P<port>\d{1,5}))?/?")


@dataclass(frozen=True, slots=True)
class Target:
    """A host as the network sees it."""

    name: str  # for messages
    address: str
    port: int
    user: str
    keys: tuple[Path, ...]
    known_hosts: Path
    jumps: tuple[str, ...] = ()  # "user@host:port", first hop first
    transport: SshTransport = SshTransport.PARAMIKO
    jump: str = ""  # its address, when it is only a hop on the way

    @property
    def place(self) -> str:
        return with_port(self.address, self.port)

    def refused(self, offered: Sequence[str]) -> UnreachableError:
        """Return the error for a login that was refused with these keys."""
        keys = ", ".join(offered) or "none (none in an agent, no usual key without a passphrase)"
        return UnreachableError(
            f"login as {self.user} was refused; keys offered: {keys}",
            host=self.name,
            remedy=f"put your public key into ~{self.user}/.ssh/authorized_keys there, "
            "or name the right one in `ssh.keys`",
        )

    def takes_no_key(self, methods: Sequence[str]) -> UnreachableError:
        """Return the error for a host that lets nobody in by key."""
        return UnreachableError(
            f"login as {self.user} was refused: no key is taken, only {', '.join(methods) or 'nothing'}",
            host=self.name,
            remedy=f"let {self.user} in by key: see PubkeyAuthentication in its sshd_config",
        )

    def wants_more(self, methods: Sequence[str]) -> UnreachableError:
        """Return the error for a host that takes a key and asks a person for something else."""
        return UnreachableError(
            f"login as {self.user}: the key is taken, and the host wants more: {', '.join(methods)}",
            host=self.name,
            remedy=f"let {self.user} in by the key alone: `Match User {self.user}` with "
            "`AuthenticationMethods publickey` in its sshd_config",
        )


def resolve(name: str, ssh: Ssh, config_file: Path | None = None) -> Target:
    """Complete the inventory's ssh entry by the user's ssh configuration.

    An alias gives address, identity files and jump hosts; user and port are the inventory's. The system's ssh
    reads its configuration itself, so for it the inventory's words stand as they are.
    """
    found = {} if ssh.transport is SshTransport.OPENSSH else _configured(ssh.address, config_file)
    jump = ssh.proxy_jump or found.get("proxyjump")
    if not jump and (program := found.get("proxycommand")):
        raise InputError(
            f"~/.ssh/config reaches {ssh.address} by a ProxyCommand, which the built-in transport can't run: "
            f"{program}",
            host=name,
            remedy="`ssh.transport: openssh` runs it; or name a jump host in `ssh.proxy_jump`",
        )
    return Target(
        name=name,
        address=str(found.get("hostname", ssh.address)),
        port=ssh.port,
        user=ssh.user,
        keys=ssh.keys or _files(found),
        known_hosts=ssh.known_hosts,
        jumps=tuple(jump.split(",")) if jump and jump != "none" else (),
        transport=ssh.transport,
    )


def _configured(address: str, config_file: Path | None) -> dict[str, Any]:
    file = config_file or Path.home() / ".ssh" / "config"
    try:
        text = file.read_text("utf-8", errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InputError(f"{file} can't be read: {cause(error)}") from error
    from paramiko import SSHConfig, SSHException

    try:
        return dict(SSHConfig.from_text(text).lookup(address))
    except SSHException as error:
        raise InputError(
            f"{file} can't be understood: {error}", remedy="`ssh.transport: openssh` lets ssh itself read it"
        ) from error


def _files(found: dict[str, Any]) -> tuple[Path, ...]:
    return tuple(Path(text).expanduser() for text in found.get("identityfile", []))


def jump_target(text: str, via: Target, config_file: Path | None = None) -> Target:
    """Parse `[user@]host[:port]` of a ProxyJump, where an alias of ~/.ssh/config stands for what it says.

    known_hosts is that of the target, and so are key files and user where nothing names others.
    """
    found = JUMP.fullmatch(text)
    host = found["host"].strip("[]") if found else ""
    alias = _configured(host, config_file) if found else {}
    port = str((found and found["port"]) or alias.get("port", 22))
    if found is None or not port.isdecimal() or int(port) >= 1 << 16:
        raise InputError(f"ProxyJump {text!r}: expected [user@]host[:port]", host=via.name)
    address = str(alias.get("hostname", host))
    return Target(
        f"{via.name} (jump {host})",
        address,
        int(port),
        str(found["user"] or alias.get("user", via.user)),
        via.keys or _files(alias),
        via.known_hosts,
        jump=address,
    )


def identities(target: Target) -> list[PKey]:
    """Return the private keys to offer: the named files, else the agent's and the usual files.

    InputError for a named key that is missing, readable by others, or behind a passphrase and in no agent.
    """
    if target.keys:
        return [load_key(path) for path in target.keys][:MAX_KEYS]
    keys = [*_agents()]
    for name in DEFAULT_KEYS:
        path = Path.home() / ".ssh" / name
        if path.is_file():
            try:
                keys.append(load_key(path))
            except InputError:
                continue  # not asked for by name: the agent may hold it
    return keys[:MAX_KEYS]


def load_key(path: Path) -> PKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from paramiko import PasswordRequiredException, PKey
    from paramiko.pkey import UnknownKeyType
    from paramiko.ssh_exception import SSHException

    check_key_file(path)
    try:
        return PKey.from_path(path)
    except (PasswordRequiredException, TypeError) as error:  # a TypeError is how its backend asks for one
        if (unlocked := _in_agent(path)) is not None:
            return unlocked
        raise InputError(
            f"ssh key {path} has a passphrase",
            remedy=f"ssh-add {path}; an agent's key is known by the public one in {path}.pub",
        ) from error
    except (SSHException, ValueError, OSError, UnsupportedAlgorithm, UnknownKeyType) as error:
        raise InputError(f"ssh key {path}: not a private key that can be used: {error}") from error


def _in_agent(path: Path) -> PKey | None:
    """Return the key of this file as the agent has it, by the public part beside it."""
    file = Path(f"{path}.pub")
    try:
        fit = file.is_file() and file.stat().st_size <= MOST_KEY_BYTES
        public = file.read_text("utf-8", errors="replace").split() if fit else []
    except OSError:
        return None
    return next((key for key in _agents() if key.get_base64() in public), None)


def _agents() -> Sequence[PKey]:
    from tempo_infra.ssh import agent

    return agent.keys()


def check_key_file(path: Path) -> None:
    """InputError for a named key that is missing or readable by others."""
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"ssh key {path}: {error.strerror}") from error
    mode = status.st_mode
    if not stat.S_ISREG(mode):
        raise InputError(f"ssh key {path}: no regular file")
    if status.st_size > MOST_KEY_BYTES:
        raise InputError(f"ssh key {path}: larger than any key ({MOST_KEY_BYTES >> 10} KiB)")
    if stat.S_IMODE(mode) & 0o077:
        raise InputError(
            f"ssh key {path} can be read by others ({stat.S_IMODE(mode):04o})", remedy=f"chmod 600 {path}"
        )
