"""The line that starts the program on a host, run by a real Python: it is sent once, and then it is there."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_infra.deploy import payload
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.steps import reading
from tempo_infra.on_host.wire import encode_request

NONCE = "n1"
REQUEST = payload.opening(NONCE, encode_request(NONCE, [reading.Clock()]))
SAVE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tempo_infra.on_host import layout, program, session
print(program.save(layout.Layout(Path(sys.argv[2]))))
"""


def run(layout: Layout, sent: bytes) -> subprocess.CompletedProcess[bytes]:
    words = payload.command(NONCE)
    words[3] = words[3].replace("/var/lib/tempo-infra", str(layout.state))
    return subprocess.run([sys.executable, *words[1:]], input=sent, capture_output=True, check=False)


def asks(layout: Layout) -> bool:
    """Whether the host asks for the program; either way it answers the request that came first."""
    ran = run(layout, REQUEST + payload.answer())
    assert b"reply" in ran.stdout, ran.stderr
    assert b'"ns":' in ran.stdout
    return payload.wish(NONCE) in ran.stdout.splitlines()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.state.mkdir(parents=True)
    return made


def save(layout: Layout, before: str = "") -> Path:
    sent = layout.root / "sent.zip"
    sent.write_bytes(payload.program())
    words = [sys.executable, "-I", "-c", before + SAVE, str(sent), str(layout.root)]
    name = subprocess.run(words, capture_output=True, check=True, text=True).stdout.strip()
    return layout.state / name


def test_a_host_without_the_program_asks_for_it_and_answers_what_was_asked_before(layout: Layout) -> None:
    assert asks(layout)


@pytest.mark.thorough
def test_a_host_that_keeps_it_does_not(layout: Layout) -> None:
    kept = save(layout)
    assert not asks(layout)
    names = zipfile.ZipFile(kept).namelist()
    assert {"tempo_infra/on_host/session.py", "tempo_infra/on_host/session.pyc"} <= set(names)
    assert "tempo_infra/on_host/database.pyc" not in names  # it was not in use
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.thorough
def test_what_was_started_from_the_kept_file_is_not_kept_again(layout: Layout) -> None:
    kept = save(layout)
    words = [sys.executable, "-I", "-c", SAVE, str(kept), str(layout.root)]
    again = subprocess.run(words, capture_output=True, check=True, text=True).stdout.strip()
    assert [path.name for path in layout.state.iterdir()] == [again] == [kept.name]


def flip(kept: Path) -> None:
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(content)


def link(kept: Path) -> None:
    kept.rename(kept.with_name("elsewhere"))
    kept.symlink_to("elsewhere")


def folder(kept: Path) -> None:
    kept.unlink()
    kept.mkdir()


def cut(kept: Path) -> None:
    kept.write_bytes(kept.read_bytes()[:-1])


UNTRUSTED: dict[str, Callable[[Path], object]] = {
    "a changed byte": flip,
    "cut": cut,
    "empty": lambda kept: kept.write_bytes(b""),
    "a link": link,
    "a folder": folder,
    "writable by the group": lambda kept: kept.chmod(0o660),
    "in a folder that all may write": lambda kept: kept.parent.chmod(0o777),
    "another program's": lambda kept: kept.rename(kept.with_name(kept.name.replace("-", "-0", 1))),
}


@pytest.mark.thorough
@pytest.mark.parametrize("what", UNTRUSTED)
def test_a_file_that_others_could_have_made_does_not_count(layout: Layout, what: str) -> None:
    kept = save(layout)
    UNTRUSTED[what](kept)
    assert asks(layout)


@pytest.mark.thorough
def test_another_python_reads_the_text_again(layout: Layout) -> None:
    save(layout, before="import importlib.util; importlib.util.MAGIC_NUMBER = bytes(4)")
    assert not asks(layout)


def test_a_program_that_arrives_cut_is_not_started(layout: Layout) -> None:
    ran = run(layout, REQUEST + payload.answer()[:-1])
    assert (ran.returncode, ran.stderr) == (1, b"the program arrived cut\n")
    assert b"reply" not in ran.stdout


@pytest.mark.parametrize("sent", [b"", b"password\n", f"{NONCE}\n".encode(), f"{NONCE}\n20\n".encode()])
@pytest.mark.parametrize("drips", [False, True])
def test_a_link_that_is_dead_leaves_no_root_program_behind(
    layout: Layout, sent: bytes, *, drips: bool
) -> None:
    """Its input stays open, silent or with a byte now and then."""
    words = payload.command(NONCE)
    words[3] = words[3].replace("/var/lib/tempo-infra", str(layout.state)).replace("alarm(120", "alarm(1")
    with subprocess.Popen(
        [sys.executable, *words[1:]], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        assert process.stdin
        try:
            for piece in (sent, *(b"x" for _ in range(200 if drips else 0))):
                process.stdin.write(piece)
                time.sleep(0.1)
        except BrokenPipeError:
            pass
        ended = process.wait(20)
        process.kill()
    assert ended == -signal.SIGALRM


def test_what_is_served_has_no_alarm_of_the_start() -> None:
    """A step may take its time; `serve` sets its own."""
    assert payload.START.index("signal.alarm(0)") < payload.START.index("serve(nonce, request)")
    assert payload.START.index("signal.alarm(120)") < payload.START.index("stdin")
