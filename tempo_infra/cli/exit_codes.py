"""The exit codes of every command, in one place."""

from __future__ import annotations

from enum import IntEnum

from tempo_infra.errors import InputError, RollbackFailedError, TempoInfraError, UnreachableError


class ExitCode(IntEnum):
    OK = 0
    FAILED = 1  # a check, a step, a difference
    USAGE = 2  # usage or bad input; nothing was contacted
    UNREACHABLE = 3  # a host could not be reached, or something wanted could not be measured
    CHANGES_PENDING = 4  # `plan --detailed-exitcode` only
    ROLLBACK_FAILED = 5  # a person is needed


def exit_code_of(error: TempoInfraError) -> ExitCode:
    if isinstance(error, InputError):
        return ExitCode.USAGE
    if isinstance(error, RollbackFailedError):
        return ExitCode.ROLLBACK_FAILED
    if isinstance(error, UnreachableError):
        return ExitCode.UNREACHABLE
    return ExitCode.FAILED
