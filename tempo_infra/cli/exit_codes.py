"""The exit codes of every command, and which one it is where several things came of it, in one place."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from tempo_infra.errors import InputError, RollbackFailedError, TempoInfraError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    CHANGES_PENDING = 4
    ROLLBACK_FAILED = 5


# The first of these that came of a command is its exit code. What calls for a person most stands first; that
# no host was contacted can't be said where more came of it.
MEANINGS: dict[ExitCode, str] = {
    ExitCode.ROLLBACK_FAILED: "a rollback failed: a person is needed, and the output says where it stands",
    ExitCode.FAILED: "something failed: a check, a step, a comparison; or the command was interrupted",
    ExitCode.UNREACHABLE: "a host could not be reached, or something wanted could not be measured",
    ExitCode.USAGE: "usage or bad input; no host was contacted",
    ExitCode.CHANGES_PENDING: "changes are pending (`plan --detailed-exitcode` only)",
    ExitCode.OK: "fine: nothing failed, all that was wanted was measured",
}


def exit_code(
    errors: Iterable[TempoInfraError] = (),
    *,
    rollback_failed: bool = False,
    failed: bool = False,
    unreachable: bool = False,
    changes_pending: bool = False,
) -> ExitCode:
    """Return the exit code of a whole command: of its errors, and of what else came of it."""
    came = {
        ExitCode.ROLLBACK_FAILED: rollback_failed,
        ExitCode.FAILED: failed,
        ExitCode.UNREACHABLE: unreachable,
        ExitCode.CHANGES_PENDING: changes_pending,
        ExitCode.OK: True,
    } | {_of(error): True for error in errors}
    return next(code for code in MEANINGS if came.get(code))


def _of(error: TempoInfraError) -> ExitCode:
    if isinstance(error, InputError):
        return ExitCode.USAGE
    if isinstance(error, RollbackFailedError):
        return ExitCode.ROLLBACK_FAILED
    if isinstance(error, UnreachableError):
        return ExitCode.UNREACHABLE
    return ExitCode.FAILED
