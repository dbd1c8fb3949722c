"""Who else has the user numbers that containers run as here, or will."""

from __future__ import annotations

from tempo_infra.on_host import accounts, data_folder
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.probes.reading import Unread, read_file
from tempo_infra.on_host.users import here


def read() -> accounts.Accounts:
    """Ask for the numbers of what was provisioned; on a fresh host for those that it would get."""
    layout = Layout()
    manifest = layout.current / "manifest.json"
    text = read_file(str(manifest)) if manifest.exists() else ""
    try:
        users = here(text, data_folder.look(layout).owner)
    except ValueError as error:
        raise Unread(f"the manifest can't be read: {error}") from error
    reads = accounts.readers(users, database=not text or "services/postgresql-" in text)
    return accounts.look(reads, reads)
