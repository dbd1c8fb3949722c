"""Running other programs: a deadline holds whatever the program does, and what can't be started is said."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import time

import pytest

from tempo_infra.on_host.shell import StepError, run


def test_a_deadline_holds_for_a_program_that_left_its_group_and_keeps_the_output_open() -> None:
    started = time.monotonic()
    with pytest.raises(StepError, match=r"gave no answer in 0\.3 s"):
        run(["sh", "-c", "setsid sleep 20 & sleep 20"], deadline_s=0.3)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EACCES])
def test_a_program_that_can_not_be_started_is_a_step_that_failed(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A rollback tries again what failed so; an error of another kind would end it at once."""

    def refuses(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(subprocess, "Popen", refuses)
    with pytest.raises(StepError, match=f"docker: {os.strerror(number)}"):
        run(["docker", "compose", "up"], deadline_s=1)


def test_a_program_that_says_too_much_is_ended() -> None:
    with pytest.raises(StepError, match="said more than 32 MiB"):
        run(["cat", "/dev/zero"], deadline_s=20)
    with pytest.raises(StepError, match="said more than 32 MiB"):
        run(["sh", "-c", "exec cat /dev/zero >&2"], deadline_s=20)


def test_a_program_gets_its_whole_input_while_it_talks() -> None:
    data = json.dumps(list(range(300_000))).encode()
    assert run(["cat"], deadline_s=20, stdin=data).out.encode() == data
    assert run(["true"], deadline_s=20, stdin=data).returncode == 0
