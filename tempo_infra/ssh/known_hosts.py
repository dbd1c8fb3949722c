"""Pinned host keys: a known_hosts file beside the inventory, in OpenSSH's format."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tempo_infra import trees
from tempo_infra.errors import HostKeyError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from paramiko import PKey
    from paramiko.hostkeys import HostKeyEntry

SSH_PORT = 22
MOST_BYTES = 16 * 1024 * 1024  # of a known_hosts file


@dataclass(frozen=True, slots=True)
class PinnedKey:
    line: int
    key: PKey
    revoked: bool


def host_id(address: str, port: int) -> str:
    """Return the name under which OpenSSH files a host's key."""
    return address if port == SSH_PORT else f"[{address}]:{port}"


def pinned_keys(file: Path, address: str, port: int) -> list[PinnedKey]:
    """Return the keys that the file holds for a host; InputError when it can't be read as known_hosts."""
    return keys_of(file, host_id(address, port))


def keys_of(file: Path, name: str) -> list[PinnedKey]:
    """As `pinned_keys`, by the name under which OpenSSH looks a host up."""
    return [pinned for entry, pinned in _entries(file, tuple(_lines(file))) if _names(entry, name)]


@lru_cache(maxsize=2)
def _entries(file: Path, lines: tuple[str, ...]) -> list[tuple[HostKeyEntry, PinnedKey]]:
    """Parse what the file says, once for all the hosts in it."""
    from paramiko.hostkeys import HostKeyEntry

    found = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith(("#", "@cert-authority")):
            continue
        revoked = line.startswith("@revoked")
        try:
            entry = HostKeyEntry.from_line(line.removeprefix("@revoked").strip(), number)
        except Exception as error:
            raise InputError(f"{file}:{number}: unreadable line in known_hosts: {error}") from error
        if entry is not None:
            found.append((entry, PinnedKey(number, entry.key, revoked)))
    return found


def _lines(file: Path) -> list[str]:
    """Return its lines, each byte as it is: what is written again must be what was read."""
    try:
        text = trees.read(file, MOST_BYTES).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return []
    return text.removesuffix("\n").split("\n") if text else []


def check(file: Path) -> None:
    """InputError for a file that is not to be taken: a program that reads it by itself is not told why."""
    _lines(file)


def _names(entry: HostKeyEntry, name: str) -> bool:
    """Whether an entry is for a host; hashed names are hashed with their own salt and compared."""
    from paramiko.hostkeys import HostKeys

    return any(
        known == (HostKeys.hash_host(name, known) if known.startswith("|1|") else name)
        for known in entry.hostnames or ()
    )


def verify(offered: PKey, pinned: list[PinnedKey], file: Path, host: str, *, jump: str = "") -> None:
    """Refuse an offered key that is not pinned; HostKeyError says which fingerprints differ, and where."""
    same = [pin for pin in pinned if pin.key == offered]
    if not same or any(pin.revoked for pin in same):
        raise refusal(fingerprint(offered), pinned, file, host, jump=jump)


def refusal(offered: str, pinned: list[PinnedKey], file: Path, host: str, *, jump: str = "") -> HostKeyError:
    """Say why a host key was refused, by its fingerprint: revoked, not known, or another one than pinned."""
    key = f"the host key of the jump host {jump}" if jump else "the host key"
    trust = f"write it into {file}, as ssh-keyscan prints it" if jump else f"tempo-infra trust {host}"
    revoked = [pin for pin in pinned if pin.revoked and fingerprint(pin.key) == offered]
    if revoked:
        return HostKeyError(
            f"refused: {key} is revoked\n  offered  {offered}  ({file}:{revoked[0].line})",
            host=host,
            remedy="someone may hold the old key; ask the provider's console what this machine is",
        )
    valid = [pin for pin in pinned if not pin.revoked]
    if not valid:
        return HostKeyError(
            f"refused: {key} is not known\n  offered  {offered}  (nothing pinned in {file})",
            host=host,
            remedy=f"compare it with the provider's console, then\n  {trust}",
        )
    return HostKeyError(
        f"refused: {key} has changed\n"
        + "".join(f"  pinned   {fingerprint(pin.key)}  ({file}:{pin.line})\n" for pin in valid)
        + f"  offered  {offered}",
        host=host,
        remedy="if the machine was reinstalled: compare it with the provider's console, then\n  "
        + (trust if jump else f"{trust} --replace"),
    )


def fingerprint(key: PKey) -> str:
    return f"{key.get_name().removeprefix('ssh-')} {key.fingerprint}"


def pin(file: Path, address: str, port: int, key: PKey, *, replace: bool) -> None:
    """Write a host's key into the file, under a lock; with `replace` its older keys go."""
    pin_as(file, host_id(address, port), key, replace=replace)


def pin_as(file: Path, name: str, key: PKey, *, replace: bool) -> None:
    """As `pin`, by the name under which OpenSSH looks a host up. What is revoked stays so."""
    try:
        with trees.locked(file.parent):
            old = {one.line for one in keys_of(file, name) if not one.revoked} if replace else set()
            kept = [line for number, line in enumerate(_lines(file), start=1) if number not in old]
            lines = (*kept, f"{name} {key.get_name()} {key.get_base64()}", "")
            trees.write(file, "\n".join(lines).encode("utf-8", "surrogateescape"))
    except trees.UnfitError as error:
        raise InputError(error.what, remedy="nothing was pinned") from error
