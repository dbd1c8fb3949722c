"""Reaching a host by the transport that its inventory names."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tempo_infra.inventory.cluster import SshTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paramiko import PKey

    from tempo_infra.ssh.target import Target
    from tempo_infra.ssh.transport import Connection


@contextlib.contextmanager
def connect(target: Target) -> Iterator[Connection]:
    """Connect, check the host key against the pinned one, log in; the connection is closed at the end.

    HostKeyError before any authentication when the key is unknown, changed or revoked; UnreachableError
    with the stage and the seconds otherwise. With `openssh` both come from the first program that is started.
    """
    if target.transport is SshTransport.OPENSSH:
        from tempo_infra.ssh import openssh

        with openssh.connected(target) as connection:
            yield connection
    else:
        from tempo_infra.ssh import connection as library

        with library.connected(target) as login:
            yield login


def offered_key(target: Target) -> tuple[str, PKey]:
    """Return the name that known_hosts has a host under, and the key that it shows now.

    It is asked through its jump hosts; HostKeyError for one that is not trusted. UnreachableError.
    """
    if target.transport is SshTransport.OPENSSH:
        from tempo_infra.ssh import openssh

        return openssh.offered_key(target)
    from tempo_infra.ssh import connection as library

    return library.offered_key(target)
