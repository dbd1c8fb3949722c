"""Other users and groups of this machine, for tests that run as root."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@contextmanager
def shared_group() -> Iterator[int]:
    """A group that this machine has, and in which there is somebody who is not root."""
    others = {user.pw_gid for user in pwd.getpwall() if user.pw_uid != 0}
    yield next(group.gr_gid for group in grp.getgrall() if group.gr_gid in others and group.gr_gid)
