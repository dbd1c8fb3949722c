"""A program in one of our containers, which ends in there at its deadline.

Killing `docker exec` at a deadline ends nothing in the container: the program lives on, holds its locks, and
changes later what it was about to change. So it gets its end in there, and the one out here is only for an
engine that doesn't answer.
"""

from __future__ import annotations

import time
from typing import Optional, Sequence

from tempo_infra.on_host.shell import Output, StepError, run

LATE = 124  # what `timeout` says of a program that it has ended
KILL_AFTER_S = 2.0  # of one that doesn't end when it is told to
ENGINE_S = 5.0  # for the engine to begin and to tell the end
# What runc says while it prepares a process that never became the program: the same again harms nothing. Seen
# on a host whose processors were all busy: "... read init-p: connection reset by peer".
NEVER_BEGAN = (
    "OCI runtime exec failed: exec failed: "
    "unable to start container process: waiting for init preliminary setup"
)
TRIES, PAUSE_S = 3, 1.0


def inside(
    container: str,
    program: "Sequence[str]",
    *,
    deadline_s: float,
    environment: "Sequence[str]" = (),
    stdin: Optional[bytes] = None,
) -> Output:
    """Run a program in a container, without a shell; StepError when it takes longer than the deadline.

    `environment` has words of the form NAME=value.
    """
    variables = [word for one in environment for word in ("--env", one)]
    bounded = ["timeout", "-k", f"{KILL_AFTER_S:g}", f"{deadline_s:g}", *program]
    words = ["docker", "exec", *variables, *(["-i"] if stdin is not None else []), container, *bounded]
    for tried in range(1, TRIES + 1):
        output = run(words, deadline_s=deadline_s + KILL_AFTER_S + ENGINE_S, stdin=stdin)
        if tried == TRIES or not output.returncode or not (output.err or output.out).startswith(NEVER_BEGAN):
            break
        time.sleep(PAUSE_S)
    if output.returncode == LATE:
        raise StepError(f"`{program[0]}` in the container gave no answer in {deadline_s:g} s")
    return output
