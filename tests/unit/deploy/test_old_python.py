"""A host whose python3 can't run our program: said by every command, and nothing is sent to be run there.

Nothing but a session starts a program on a host, so it is a session that is asked here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tempo_infra.deploy import payload
from tempo_infra.deploy.session import Session
from tempo_infra.errors import UnreachableError
from tempo_infra.on_host.steps import reading
from tempo_infra.on_host.wire import encode_request
from tests.unit.deploy.test_hostile_hosts import Says

pytestmark = pytest.mark.thorough

NONCE = "n1"
NO_CACHE = {"PYTHONDONTWRITEBYTECODE": "1"}
ROOT = Path(__file__).parents[3]
REMEDY = "Debian 12, Ubuntu 22.04"
OLDER = ("2.7", "3.6", "3.7", "3.8", "3.9")
FIT = ("3.10", "3.11", "3.12", "3.13", "3.14")


def python(version: str) -> str | None:
    """A Python of that version, of the system's or of pyenv's; None where there is none."""
    own = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python{version}"))
    found = [shutil.which(f"python{version}"), *map(str, own)]
    for one in (path for path in found if path):
        ran = subprocess.run(
            [one, "-c", "import sys; print(sys.version_info[0])"], capture_output=True, check=False
        )
        if ran.returncode == 0:
            return one
    return None


def started(program: str, *options: str, before: str = "") -> subprocess.CompletedProcess[bytes]:
    words = payload.command(NONCE)
    said = [program, *options, "-c", before + words[3], *words[4:]]
    return subprocess.run(
        said, input=b"", capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )


def told(said: bytes, code: int = 1) -> UnreachableError:
    """What an operator reads when the program's start ended with these words."""

    class Ended(Says):
        def _exit_code(self, until: float) -> int:
            del until
            return code

    process = Ended(iter(()))
    process._err += said
    with pytest.raises(UnreachableError) as caught:
        Session("rocky-1", process, NONCE).call([reading.State({}, [], [], "")])
    return caught.value


@pytest.mark.parametrize("version", OLDER)
def test_a_real_old_python_is_named_and_runs_nothing_of_ours(version: str) -> None:
    program = python(version)
    if program is None:
        pytest.skip(f"no Python {version} on this machine")
    for options in (["-E"], ["-I"]):  # Python 2 knows no -I
        ran = started(program, *options)
        assert (ran.stdout, ran.returncode != 0) == (b"", True)
        error = told(ran.stderr, ran.returncode)
        exact = "before 3.4" if version == "2.7" and options == ["-I"] else f"{version}."
        assert error.what.startswith(f"Python {exact}"), ran.stderr
        assert "on this host is too old: 3.10 is the oldest that works" in error.what
        assert error.remedy.startswith(REMEDY)


@pytest.mark.parametrize(
    ("info", "named"),
    [
        ((2, 7, 5, "final", 0), "2.7.5"),
        ((3, 6, 8, "final", 0), "3.6.8"),
        ((3, 9, 25, "final", 0), "3.9.25"),
        ((3, 10, 0, "candidate", 1), ""),
        ((4, 0, 0, "final", 0), ""),
    ],
)
def test_the_floor_is_3_10(info: tuple[object, ...], named: str) -> None:
    """This Python in an older one's place."""
    ran = started(sys.executable, "-I", before=f"import sys\nsys.version_info = {info!r}\n")
    if named:
        assert (ran.stdout, ran.returncode) == (b"", 1)
        assert told(ran.stderr).what.startswith(f"Python {named} on this host is too old")
    else:
        assert ran.stdout.startswith(b"tempo-infra\n")


@pytest.mark.parametrize("version", FIT)
def test_every_python_from_the_floor_on_runs_all_of_it(version: str) -> None:
    program = python(version)
    if program is None:
        pytest.skip(f"no Python {version} on this machine")
    request = payload.opening(NONCE, encode_request(NONCE, [reading.Clock()]))
    ran = subprocess.run(
        [program, *payload.command(NONCE)[1:]],
        input=request + payload.answer(),
        capture_output=True,
        check=False,
    )
    assert ran.stdout.splitlines()[0] == b"tempo-infra"
    assert b'"failed":"",' in ran.stdout, ran
    every = [name.removesuffix(".py").replace("/", ".") for name in payload._sources() if "on_host/" in name]
    read = f"import importlib\nfor one in {every!r}:\n    importlib.import_module(one)\nprint(len({every!r}))"
    words = [program, "-c", read]
    ran = subprocess.run(words, capture_output=True, check=False, cwd=ROOT, env=NO_CACHE)
    assert ran.stdout.strip() == str(len(every)).encode(), ran.stderr


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"bash: line 1: python3: command not found\n", 127),
        (b"sh: 1: python3: not found\n", 127),
        (b"-sh: python3: not found\n", 127),
        (b"sudo: python3: command not found\n", 1),
        (b"sudo-rs: 'python3': command not found\n", 1),
        (b"fish: Unknown command: python3\n", 127),
        (b"python3: Command not found.\n", 1),
        (b"zsh:1: command not found: python3\n", 127),
        (b"sudo: unable to resolve host rocky-1\nsudo: python3: command not found\n", 1),
        (b"bash: /usr/bin/python3: No such file or directory\n", 127),
    ],
)
def test_no_python_at_all_has_its_own_words(said: bytes, code: int) -> None:
    error = told(said, code)
    assert error.what == "this host has no python3"
    assert "sudo" not in error.remedy
    assert "apt-get install python3" in error.remedy


@pytest.mark.parametrize(
    "said", [b"sudo: a password is required\n", b"ModuleNotFoundError: No module named 'hashlib'\n", b""]
)
def test_other_reasons_are_not_the_pythons(said: bytes) -> None:
    assert told(said).what.startswith("could not start work on the host: ")
