"""Who may have changed a file: owner and mode, as ssh and git ask."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from tempo_infra.trees.descriptors import held
from tempo_infra.trees.refusal import UnfitError

PATH_ONLY = getattr(os, "O_PATH", os.O_RDONLY)  # a folder on the way need not be readable


def check(status: os.stat_result, path: Path, descriptor: int | None = None) -> None:
    """UnfitError for what somebody else owns or may change.

    In a sticky folder, such as /tmp, nobody replaces another's files: it may be everybody's. Where a file has
    an access list, the group's bits are what the list may give at most, to whomever: `descriptor` shows that.
    """
    mode, folder = stat.S_IMODE(status.st_mode), stat.S_ISDIR(status.st_mode)
    if status.st_uid not in _trusted():
        raise UnfitError(
            path, f"belongs to {_user(status.st_uid)}, not to you", remedy="use a copy of your own"
        )
    if folder and mode & stat.S_ISVTX:
        return
    what = "what is in it" if folder else "it"
    if mode & stat.S_IWOTH:
        why = f"everybody on this machine may change {what} ({mode:04o})"
        raise UnfitError(path, why, remedy=f"chmod o-w {path}")
    if mode & stat.S_IWGRP and descriptor is not None and _has_list(descriptor):
        why = f"an access list lets others change {what} ({mode:04o}+)"
        raise UnfitError(path, why, remedy=f"`getfacl {path}` shows it, `setfacl -b {path}` ends it")
    if mode & stat.S_IWGRP and not _is_private(status):
        why = f"its group {_group(status.st_gid)} may change {what} ({mode:04o})"
        raise UnfitError(path, why, remedy=f"chmod g-w {path}")


def check_names(status: os.stat_result, folder: int, path: Path) -> None:
    """UnfitError for a file that somebody else may have given this name: others may put names there."""
    above = os.fstat(folder)
    shared = above.st_mode & stat.S_IWOTH or (above.st_mode & stat.S_IWGRP and not _is_private(above))
    if status.st_nlink > 1 and shared:
        raise UnfitError(path, "has another name elsewhere, and others may put names into its folder")


def check_private(status: os.stat_result, path: Path) -> None:
    """UnfitError for a key that is not the caller's own, or that others can read."""
    if status.st_uid != os.geteuid():
        why = f"belongs to {_user(status.st_uid)}, not to you ({os.geteuid()})"
        raise UnfitError(path, why, remedy="use a copy of your own (0600)")
    if (mode := stat.S_IMODE(status.st_mode)) & 0o077:
        why = f"can be read by others (mode {mode:04o})"
        raise UnfitError(path, why, remedy=f"chmod 600 {path}; if others may have read it, make a new one")


def check_way(folder: int, path: Path) -> None:
    """UnfitError when a stranger may put something else in the place of this folder or what is in it."""
    descriptor, depth = os.dup(folder), 0
    while True:
        with held(descriptor):
            status = os.fstat(descriptor)
            place = path if depth == 0 else Path(os.path.realpath(path)).parents[depth - 1]
            check(status, place, descriptor)
            above = os.open("..", PATH_ONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=descriptor)
        if os.path.samestat(os.fstat(above), status):
            os.close(above)
            return
        descriptor, depth = above, depth + 1


def check_link(status: os.stat_result, folder: int, path: Path) -> None:
    """UnfitError for a link that a stranger may have put on the way, as to another of the caller's own files.

    As the kernel's protected_symlinks has it of a sticky folder such as /tmp, whatever that is set to here.
    """
    check_way(folder, path.parent)
    above = os.fstat(folder)
    shared = above.st_mode & stat.S_ISVTX and above.st_mode & (stat.S_IWOTH | stat.S_IWGRP)
    if shared and status.st_uid not in _trusted():
        why = f"is a link that belongs to {_user(status.st_uid)}, in a folder where others put theirs"
        raise UnfitError(path, why, remedy="name the place that is meant without it")


def _trusted() -> set[int]:
    """Root, the caller, and who became root by sudo: git trusts these."""
    caller = os.geteuid()
    before = os.environ.get("SUDO_UID", "") if caller == 0 else ""
    return {0, caller, *((int(before),) if before.isdecimal() else ())}


def _is_private(status: os.stat_result) -> bool:
    """Whether a group holds owner and caller and nobody else; the ssh of Debian and Ubuntu asks that, too."""
    try:
        named = {pwd.getpwnam(name).pw_uid for name in grp.getgrgid(status.st_gid).gr_mem}
    except KeyError:
        return False
    members = named | {user.pw_uid for user in pwd.getpwall() if user.pw_gid == status.st_gid}
    return bool(members) and members <= {status.st_uid, os.geteuid()}


def _has_list(descriptor: int) -> bool:
    """Whether a file has rights beyond its mode. By its path: a folder may be open for nothing else."""
    try:
        return bool(os.getxattr(f"/proc/self/fd/{descriptor}", "system.posix_acl_access"))
    except (OSError, AttributeError):  # none, or a system without them
        return False


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (user id {uid})"
    except KeyError:
        return f"user id {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
