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


def exit_code(errors: Iterable[TempoInfraError] = (), **also: bool) -> ExitCode:
    """Return the exit code of a whole command: of its errors, and of what else came of it.

    `also` names outcomes beside the errors, such as failed=True or changes_pending=True.
    """
    came = {exit_code_of(error) for error in errors}
    came |= {ExitCode[name.upper()] for name, true in also.items() if true}
    return next(code for code in MEANINGS if code in {*came, ExitCode.OK})


def exit_code_of(error: TempoInfraError) -> ExitCode:
    if isinstance(error, InputError):
        return ExitCode.USAGE
    if isinstance(error, RollbackFailedError):
        return ExitCode.ROLLBACK_FAILED
    if isinstance(error, UnreachableError):
        return ExitCode.UNREACHABLE
    return ExitCode.FAILED
