"""Other users and groups of this machine, for tests that run as root."""

from __future__ import annotations

import grp
import os
import pwd
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@contextmanager
def shared_group() -> Iterator[int]:
    """A group that this machine has, and in which there is somebody who is not root."""
    others = {user.pw_gid for user in pwd.getpwall() if user.pw_uid != 0}
    yield next(group.gr_gid for group in grp.getgrall() if group.gr_gid in others and group.gr_gid)


def let_in(path: Path, uid: int) -> None:
    """Give somebody an access list's right to change a file; skip where the file system has none."""
    nobody = 0xFFFFFFFF
    rights = ((1, 7, nobody), (2, 7, uid), (4, 5, nobody), (16, 7, nobody), (32, 5, nobody))
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in rights)
    try:
        os.setxattr(path, "system.posix_acl_access", packed)
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")
