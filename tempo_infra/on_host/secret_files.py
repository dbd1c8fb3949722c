"""Secrets on the host: one folder a reader, 0700; files 0400, owned by who reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra.on_host import ownership, untrusted
from tempo_infra.on_host.durable import make_folder, replace_file
from tempo_infra.on_host.shell import StepError

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout
    from tempo_infra.on_host.steps import change, reading


LARGEST_BYTES = 4096


@dataclass(frozen=True)
class SecretsWritten:
    written: list[str]  # names only


def passwords(layout: Layout, args: reading.Passwords) -> "dict[str, str]":
    """Return those that lie here, for an operator who has lost the file of secrets."""
    found: "dict[str, str]" = {}
    for name in args.names:
        data = untrusted.read(layout.secrets, name, LARGEST_BYTES + 1)
        if data is not None and len(data) > LARGEST_BYTES:
            raise StepError(f"{layout.secrets}/{name} is no password: over {LARGEST_BYTES} bytes")
        if data is not None:
            found[name] = data.decode("ascii", errors="replace")
    return found


def write_secrets(layout: Layout, args: change.Secrets) -> SecretsWritten:
    """Write the secrets of the payload (JSON: reader -> name -> value) that differ from what is there."""
    written = []
    make_folder(layout.state, 0o755)
    make_folder(layout.secrets, 0o711)
    for reader, files in sorted(json.loads(args.payload).items()):
        folder = layout.secrets / reader
        make_folder(folder, 0o700, args.uids[reader])
        for name, value in sorted(files.items()):
            path, content = folder / name, value.encode()
            as_is = ownership.wrong_with(ownership.Want(path, 0o400, args.uids[reader], needed=True))
            if any(as_is) or not untrusted.holds(layout.secrets, f"{reader}/{name}", content):
                replace_file(path, content, 0o400, args.uids[reader])
                written.append(f"{reader}/{name}")
    ownership.put_right(ownership.of_secrets(layout, args.uids), {})
    return SecretsWritten(written)
