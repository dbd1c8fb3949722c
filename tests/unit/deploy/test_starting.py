# ruff: noqa: E501, ISC004 - words as others wrote them
"""Why work did not start on a host: the words of shells, sudo, PAM and forced commands, each with its remedy."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tempo_infra.deploy import payload
from tempo_infra.deploy.session import Session
from tempo_infra.deploy.starting import Login
from tempo_infra.errors import UnreachableError
from tempo_infra.on_host.steps import reading
from tempo_infra.on_host.wire import encode_request
from tests.unit.deploy.test_hostile_hosts import NONCE, Says

SHELL = "usermod -s /bin/bash deploy"
BY_HAND = "see it by hand: ssh -p 2222 deploy@192.0.2.7 sudo -n python3 -V"


def told(errors: str = "", out: str = "", code: int = 1) -> UnreachableError:
    class Ended(Says):
        def _exit_code(self, until: float) -> int:
            del until
            return code

    process = Ended(iter([out.encode()] if out else []))
    process._err += errors.encode()
    with pytest.raises(UnreachableError) as caught:
        Session("db-1", process, NONCE, login=Login("deploy", "192.0.2.7", 2222)).call(
            [reading.State({}, [], [], "")]
        )
    return caught.value


ERRORS = [
    ("sudo: a password is required\n", "give deploy sudo without a password"),
    ("sudo: a terminal is required to read the password; either use the -S option to read from standard input "
     "or configure an askpass helper\nsudo: a password is required\n", "--ask-sudo-password"),
    ("sudo: interactive authentication is required\n", "--ask-sudo-password"),
    ("sudo-rs: interactive authentication is required\n", "--ask-sudo-password"),
    ("sudo: sorry, you must have a tty to run sudo\n", "`Defaults:deploy !requiretty`"),
    ("deploy is not in the sudoers file.\n", "`deploy ALL=(ALL) NOPASSWD: ALL`"),
    ("Sorry, user deploy may not run sudo on db-1.\n", "`deploy ALL=(ALL) NOPASSWD: ALL`"),
    ("Sorry, user deploy is not allowed to execute '/usr/bin/python3 -I' as root on db-1.\n", "NOPASSWD: ALL"),
    ("sudo-rs: I'm sorry deploy. I'm afraid I can't do that\n", "NOPASSWD: ALL"),
    ("bash: line 1: sudo: command not found\n", "install sudo there"),
    ("sh: 1: sudo: not found\n", "install sudo there"),
    ("fish: Unknown command: sudo\n", "install sudo there"),
    ("zsh:1: command not found: sudo\n", "install sudo there"),
    ("sudo: Command not found.\n", "install sudo there"),
    ("/etc/sudoers.d/x:1:9: syntax error\nsudo: error in /etc/sudoers.d/x near line 1\n", "visudo -c"),
    ("sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set\n", "visudo -c"),
    ('sudo: The "no new privileges" flag is set, which prevents sudo from running as root.\n', "visudo -c"),
    ("Your account has expired; please contact your system administrator.\n", "chage -l deploy"),
    ("sudo: account validation failure, is your account locked?\n", "chage -l deploy"),
    ("sudo: PAM account management error: Permission denied by PAM\n", "chage -l deploy"),
    ("sudo: Account or password is expired, reset your password and try again\n", "sudo passwd deploy"),
    ("You are required to change your password immediately (password expired).\n", "sudo passwd deploy"),
    ("WARNING: Your password has expired.\nPassword change required but no TTY available.\n", "sudo passwd deploy"),
    ("ModuleNotFoundError: No module named 'hashlib'\n", "its Python is not whole"),
    ("rbash: line 1: /usr/bin/sudo: restricted: cannot specify `/' in command names\n", SHELL),
    ("Badly placed ()'s.\nUnmatched '''.\n", SHELL),
    ("bash: fork: retry: Resource temporarily unavailable\n", "what deploy may run at once"),
    ("bash: cannot create temp file for here-document: No space left on device\n", "make room there"),
    ("OSError: [Errno 12] Cannot allocate memory\n", "at a limit"),
]  # fmt: skip
OUT = [
    ("This account is currently not available.\n", SHELL),
    ("This account is not available\n", SHELL),
    ("This service allows sftp connections only.\n", "ForceCommand"),
    ("Shell access is disabled for this user.\n", SHELL),
    ("fatal: Interactive git shell is not enabled.\n", SHELL),
]


@pytest.mark.parametrize(("said", "todo"), ERRORS)
@pytest.mark.parametrize("code", [0, 1, 126, 127, 255])
def test_what_is_said_decides_whatever_the_exit_code_is(said: str, todo: str, code: int) -> None:
    error = told(said, "Welcome to db-1\n", code)
    assert said.strip().splitlines()[-1] in error.what
    assert todo in error.remedy


@pytest.mark.parametrize(("said", "todo"), OUT)
def test_what_is_said_on_the_other_stream_is_shown_and_counts(said: str, todo: str) -> None:
    error = told("", said)
    assert said.strip() in error.what
    assert todo in error.remedy
    assert "sudo without" not in error.remedy


@pytest.mark.parametrize("code", [0, 1, 127])
def test_one_that_says_nothing_is_no_guess_but_a_way_to_see_it(code: int) -> None:
    error = told("", "", code)
    assert error.what == f"could not start work on the host: exit code {code}"
    assert BY_HAND in error.remedy


def test_a_greeting_before_the_end_is_shown_as_what_it_is() -> None:
    error = told("", "Welcome to db-1\n", 7)
    assert error.what == "could not start work on the host: exit code 7 after 'Welcome to db-1'"
    assert BY_HAND in error.remedy


def test_words_of_a_hostile_shell_are_shown_harmless() -> None:
    error = told("\x1b]52;c;cm0gLXJm\x07\x1b[2J{user} {0.__class__} \u202eevil\r\n")
    assert error.what == "could not start work on the host: {user} {0.__class__} ?evil"
    assert BY_HAND in error.remedy


SHELLS = ["bash", "dash", "sh", "fish", "tcsh", "csh", "zsh", "ksh", "mksh", "busybox"]


@pytest.mark.parametrize("name", SHELLS)
def test_our_start_is_one_word_to_every_login_shell(name: str, tmp_path: Path) -> None:
    """As sshd runs it: the shell, -c, and what the transport quoted."""
    shell = shutil.which(name)
    if shell is None:
        pytest.skip(f"no {name} on this machine")
    words = [shell, *(["sh"] if name == "busybox" else []), "-c", shlex.join(payload.command(NONCE))]
    request = payload.opening(NONCE, encode_request(NONCE, [reading.Clock()])) + payload.answer()
    ran = subprocess.run(
        words, input=request, capture_output=True, check=False, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}
    )
    assert b'"ns":' in ran.stdout, ran.stderr
    assert ran.stderr == b""


def test_our_start_holds_nothing_that_a_shell_reads_inside_of_quotes() -> None:
    """csh: a line's end and `!`; fish: a backslash before a backslash or a quote."""
    sent = shlex.join(payload.command(NONCE))
    assert "\n" not in sent
    assert "!" not in sent
    assert "\\\\" not in sent
    assert "\\'" not in sent


def test_a_shell_that_greets_does_not_keep_sudo_from_its_password() -> None:
    class Asks(Says):
        """Greets at once, asks after that, and says hello once it has the password."""

        def __init__(self) -> None:
            super().__init__(iter(()))
            self.sent: list[bytes] = []
            self._turn = 0

        def send(self, data: bytes, *, deadline_s: float) -> None:
            del deadline_s
            self.sent.append(data)

        def _more(self, until: float, deadline_s: float) -> bool:
            del until, deadline_s
            self._turn += 1
            if self._turn == 1:
                self._out += b"Welcome!\nno tempo-infra here\n"
            elif self._turn == 2:
                self._err += b"[prompt]"
            elif self.sent:
                self._out += payload.HELLO + b"\n"
            return True

    process = Asks()
    assert process.asked(b"[prompt]", times=1, unless=payload.HELLO, deadline_s=1)
    process.send(b"secret\n", deadline_s=1)
    assert not process.asked(b"[prompt]", times=2, unless=payload.HELLO, deadline_s=1)
