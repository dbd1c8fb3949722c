"""Secrets on the host: one folder a reader, 0700; files 0400, owned by who reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host import untrusted
from tempo_infra.on_host.durable import make_folder, replace_file

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout


@dataclass(frozen=True)
class SecretArgs:
    uids: dict[str, int]  # reader -> owner of its folder


@dataclass(frozen=True)
class SecretsWritten:
    written: list[str]  # names only


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
