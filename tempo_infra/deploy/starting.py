"""Why our program did not start on a host: what was said there instead, and what a person does about it.

The login shell, sudo, PAM, a forced command and Python each say it in their own words, on either stream.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_infra import sanitize
from tempo_infra.deploy.payload import OLDEST_PYTHON
from tempo_infra.errors import UnreachableError
from tempo_infra.on_host import remedies
from tempo_infra.on_host.remedies import Row
from tempo_infra.ssh.known_hosts import SSH_PORT

if TYPE_CHECKING:
    from tempo_infra.ssh.transport import Completed

LONGEST_WORDS = 300
LINES = 2  # of what was said that are shown

# What `payload.START` says first; what a Python that knows no -I says in its place.
_TOO_OLD = re.compile(r"^tempo-infra: Python (\d+\.\d+\.\d+)$|^(Unknown option: -I)$", re.MULTILINE)
_OLDEST = ".".join(map(str, OLDEST_PYTHON))
_SHELL = "give {user} a usual one: `sudo usermod -s /bin/bash {user}` there, or name another user in ssh.user"
NO_PYTHON = f"install {_OLDEST} or newer as `python3`, which root finds: apt-get install python3"
# What is not known is not guessed: a person sees it with the same words.
BY_HAND = (
    "the login shell of {user}, what it reads at its start, or a forced command ended it; see it by hand: "
    "{command}"
)
_MISSING = "not found|no such file|unknown command"

STARTING: remedies.Table = (
    Row(
        r"python3\b.*(" + _MISSING + r")|(" + _MISSING + r").*\bpython3\b",
        NO_PYTHON,
    ),
    Row(
        r"sudo(-rs)?\b.*(" + _MISSING + r")|(" + _MISSING + r").*\bsudo\b(?!:)",
        "install sudo there (apt-get install sudo), or log in as root: ssh.user",
    ),
    Row(
        r"no module named|can't find the (python|'?encodings)|could not find platform",
        "its Python is not whole: apt-get install python3, which brings the standard library",
    ),
    Row(
        r"must have a tty|requiretty|no tty present and no askpass",
        "sudo wants a terminal, and there is none: `Defaults:{user} !requiretty` in /etc/sudoers.d, and sudo "
        "without a password or --ask-sudo-password",
    ),
    Row(
        r"not in the sudoers|not allowed to (run|execute)|may not run|i'm sorry",
        "sudo does not let {user} be root: `{user} ALL=(ALL) NOPASSWD: ALL` in a file of /etc/sudoers.d",
    ),
    Row(
        r"sudoers.*(syntax|parse|error|owned|writable|unable)|(syntax|parse) error.*sudoers"
        r"|effective uid is not 0|no valid sudoers|no new privileges|setuid",
        "sudo itself is broken there: as root, `visudo -c` and `ls -l $(command -v sudo)` say how",
    ),
    Row(
        r"password (has|is) expired|change your password|password change required"
        r"|authentication token is no longer valid|password aging",
        "the password of {user} has run out, which stops logins by key, too: `sudo passwd {user}` there, or "
        "`sudo chage -M -1 {user}`",
    ),
    Row(
        r"account (has |is )?(expired|disabled|locked)|account validation failure|permission denied by pam"
        r"|access denied by pam",
        "the account {user} is closed there: `sudo chage -l {user}` and `sudo passwd -S {user}` say how",
    ),
    Row(
        r"password is required|authentication (is )?required|try again|incorrect password|conversation failed"
        r"|a terminal is required",
        "give {user} sudo without a password, or use --ask-sudo-password",
    ),
    Row(
        r"account is (currently )?not available|not (currently )?available|nologin|shell access|no shell"
        r"|shell .*(disabled|not allowed|not permitted)|interactive",
        "the login shell of {user} lets nobody in; " + _SHELL,
    ),
    Row(
        r"sftp connections only|sftp only|scp only|only (allows|supports) (sftp|scp|git)|git-shell"
        r"|command (is )?not (allowed|permitted)|restricted to",
        "the host runs a command of its own for {user}: see ForceCommand in sshd_config and `command=` in "
        "authorized_keys, or name another user in ssh.user",
    ),
    Row(
        r"restricted|rbash|rksh",
        "the login shell of {user} is a restricted one; " + _SHELL,
    ),
    Row(
        r"no space left|disk quota",
        "make room there: `df -h` and `df -i` say which disk is full",
    ),
    Row(
        r"cannot allocate|out of memory|resource temporarily unavailable|cannot fork|can't fork|fork failed"
        r"|too many (open files|processes|logins)",
        "the host is at a limit, of memory or of what {user} may run at once: `free -m`, `ulimit -a` there",
    ),
    Row(
        r"read-only file system|input/output error",
        "a disk of the host can't be written or read: see `dmesg` there",
    ),
    Row(
        r"unmatched|badly placed|syntax error|parse error|missing (end|name)|unexpected (token|end|eof)"
        r"|event not found|is not recognized|cannot be loaded",
        "the login shell of {user} reads no command as a usual shell does; " + _SHELL,
    ),
)


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, and where: for what a person does by hand."""

    user: str = "root"
    address: str = "HOST"
    port: int = SSH_PORT

    @property
    def command(self) -> str:
        """What a person types to see it: our start, without our program."""
        root = [] if self.user == "root" else ["sudo", "-n"]
        port = [] if self.port == SSH_PORT else ["-p", str(self.port)]
        return shlex.join(["ssh", *port, f"{self.user}@{self.address}", *root, "python3", "-V"])


def failed(host: str, login: Login, done: Completed) -> UnreachableError:
    """Return the error for a host whose program did not start; `done.stdout` is what no frame was."""
    errors, out = (text.decode(errors="replace") for text in (done.stderr, done.stdout))
    if old := _TOO_OLD.search(errors):
        found = f"Python {old[1] or 'before 3.4'} on this host is too old: {_OLDEST} is the oldest that works"
        todo = (
            "Debian 12, Ubuntu 22.04 and newer ones bring it; elsewhere `python3` must be "
            f"{_OLDEST} or newer for root"
        )
        return UnreachableError(found, host=host, remedy=todo)
    todo = remedies.remedy(STARTING, errors) or remedies.remedy(STARTING, out)
    if todo == NO_PYTHON:
        return UnreachableError("this host has no python3", host=host, remedy=todo)
    code = f"exit code {done.returncode}"
    words = last_words(errors) or (f"{code} after {last_words(out)!r}" if last_words(out) else code)
    return UnreachableError(
        f"could not start work on the host: {words}",
        host=host,
        remedy=(todo or BY_HAND).format(user=login.user, command=login.command),
    )


def last_words(text: str) -> str:
    """Return the end of what was said, on one line."""
    lines = [line for line in map(sanitize.one_line, text.splitlines()) if line]
    return sanitize.cut("; ".join(lines[-LINES:]), LONGEST_WORDS)
