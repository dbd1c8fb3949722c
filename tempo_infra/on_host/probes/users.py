"""Who else has the user numbers that containers run as here, or will."""

from __future__ import annotations

from tempo_infra.on_host import accounts, data_folder, manifest
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.probes.reading import Unread, read_file
from tempo_infra.on_host.users import here


def read() -> accounts.Accounts:
    """Ask for the numbers of what was provisioned; on a fresh host for those that it would get."""
    layout = Layout()
    file = layout.current / manifest.NAME
    try:
        found = manifest.parse(read_file(str(file))) if file.exists() else manifest.NONE
    except manifest.ManifestError as error:
        raise Unread(str(error)) from error
    users = here(found.users, data_folder.look(layout).owner)
    reads = accounts.readers(users, database=not found.instances or "postgresql" in found.instances)
    return accounts.look(reads, reads)
