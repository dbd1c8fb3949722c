"""Secrets on the host: one folder a reader, 0700; files 0400, owned by who reads them."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host import untrusted
from tempo_infra.on_host.durable import make_folder, replace_file
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.on_host.layout import Layout


LARGEST_BYTES = 4096


@dataclass(frozen=True)
class SecretArgs:
    uids: dict[str, int]  # reader -> owner of its folder


@dataclass(frozen=True)
class SecretsWritten:
    written: list[str]  # names only


def passwords(layout: Layout) -> "dict[str, dict[str, str]]":
    """Return reader -> name -> value of what lies here, for an operator who has lost the file of secrets."""
    found: "dict[str, dict[str, str]]" = {}
    for folder in sorted(layout.secrets.iterdir()) if layout.secrets.is_dir() else []:
        for path in sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []:
            found.setdefault(folder.name, {})[path.name] = _small(path)
    return found


def _small(path: Path) -> str:
    """Read a file of one password; its folder belongs to who reads it, so it may be anything by now."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StepError(f"{path} is no file")
        data = os.read(descriptor, LARGEST_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > LARGEST_BYTES:
        raise StepError(f"{path} is no password: it is longer than {LARGEST_BYTES} bytes")
    return data.decode("ascii", errors="replace")


def write_secrets(layout: Layout, args: SecretArgs, payload: bytes) -> SecretsWritten:
    """Write the secrets of the payload (JSON: reader -> name -> value) that differ from what is there."""
    written = []
    make_folder(layout.state, 0o755)
    make_folder(layout.secrets, 0o711)
    for reader, files in sorted(json.loads(payload).items()):
        folder = layout.secrets / reader
        make_folder(folder, 0o700, args.uids[reader])
        for name, value in sorted(files.items()):
            path, content = folder / name, value.encode()
            if not untrusted.holds(layout.secrets, f"{reader}/{name}", content):
                replace_file(path, content, 0o400, args.uids[reader])
                written.append(f"{reader}/{name}")
    return SecretsWritten(written)
