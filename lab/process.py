"""Running other programs: words in, text out, always under a deadline."""

from __future__ import annotations

import os
import re
import subprocess
from typing import IO, TYPE_CHECKING, Any

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHOWN = 160
Completed = subprocess.CompletedProcess[str]


def run(
    argv: Sequence[str],
    *,
    timeout: float = 60,
    check: bool = True,
    stdin: str | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> Completed:
    """Run `argv`, fed with a text or a file.

    Raise LabError with its last words if it fails (unless `check` is off) or outlives `timeout`.
    """
    feed: dict[str, Any] = (
        {"input": stdin} if isinstance(stdin, str) else {"stdin": stdin or subprocess.DEVNULL}
    )
    try:
        done = subprocess.run(
            list(argv),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            env={**os.environ, **env} if env else None,
            cwd=cwd,
            check=False,
            **feed,
        )
    except subprocess.TimeoutExpired as late:
        raise LabError(f"no answer after {timeout:.0f} s: {_shown(argv)}") from late
    except FileNotFoundError as absent:
        raise LabError(f"not installed: {argv[0]}") from absent
    if check and done.returncode != 0:
        raise LabError(f"exit code {done.returncode}: {_shown(argv)}\n{last_words(done)}")
    return done


def last_words(done: Completed, lines: int = 15) -> str:
    """The end of what a program printed, both streams, without colours."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    return "\n".join(plain.strip().splitlines()[-lines:])


def succeeds(argv: Sequence[str], *, timeout: float = 10) -> bool:
    """Whether `argv` exits 0 in time."""
    try:
        return run(argv, timeout=timeout, check=False).returncode == 0
    except LabError:
        return False


def _shown(argv: Sequence[str]) -> str:
    words = " ".join(argv)
    return words if len(words) <= SHOWN else words[:SHOWN] + " ..."
