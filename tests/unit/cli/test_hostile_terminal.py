"""The whole program at a real terminal, before hosts that want to write on it: by a banner, a version, a
shell's words, events, errors, a state. Nothing of theirs steers it, hides a line or passes for one of ours.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import paramiko
import pytest

from tempo_infra.inventory.scaffold import example
from tempo_infra.on_host.wire import encode, read_frame
from tests.unit.deploy.test_plan import FRESH
from tests.unit.ssh.servers import Sshd, new_key, sshd

pytestmark = pytest.mark.thorough
PROGRAM = Path(sys.executable).with_name("tempo-infra")
FORGED = "solo-1: confirmed by nobody"
HARM = (
    f"x\x1b]52;c;ZXZpbA==\x07\x1b]8;;http://evil\x1b\\y\x1b]8;;\x1b\\\x1b[40A\x1b[J\x1b[?1049h\x1b[6n\x1bc\r\n{FORGED}\r"
    "\x1b[2K\u202e\u2066\u200b\u200d\ufeff\x9b31m\x90q\x9c\x85\x0b\x0c\x00\x07[red]m[/red][/x][link=http://evil]z[/link]"
)
BANNER = HARM.replace("\x00", "")  # with one, ssh lets nobody in
# OSC, DCS and their kind, a reset, 8-bit controls, what turns or hides, and every control but those of lines.
NEVER = re.compile(
    "\x1b[\\]PX^_c]|[\x80-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]"
)
OURS = re.compile(r"\x1b\[(?:[0-9;]*m|2K|[0-9]?A|\?25[lh])")  # colours, and a view that is drawn anew


def at_terminal(words: list[str], folder: Path, typed: bytes = b"") -> str:
    """Run the program on a pseudo-terminal and return all that it shows."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "HOME": str(folder), "TERM": "xterm-256color", "COLUMNS": "100"}
    program = subprocess.Popen(
        [str(PROGRAM), *words], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment
    )
    os.close(theirs)
    os.write(ours, typed)
    shown, until = b"", time.monotonic() + 90
    with contextlib.suppress(OSError):  # EIO: nobody has it open any more
        while time.monotonic() < until:
            if select.select([ours], [], [], 0.2)[0]:
                shown += os.read(ours, 1 << 16)
    program.kill()
    program.wait()
    os.close(ours)
    return shown.decode("utf-8", "replace")


def harmful(value: Any) -> Any:
    if isinstance(value, str):
        return value + HARM
    if isinstance(value, list):
        return [harmful(one) for one in value]
    if isinstance(value, dict):
        return {key: harmful(one) for key, one in value.items()}
    return value


def ends(channel: paramiko.Channel, command: str) -> None:
    """Say something on standard error and end."""
    del command
    channel.recv(1)  # who asks is there
    channel.sendall_stderr(f"{HARM}\nsudo: {HARM}\n".encode())
    end(channel)


def greets(channel: paramiko.Channel, command: str) -> None:
    """As a login shell's start, on standard output."""
    del command
    channel.recv(1)
    channel.sendall(f"Welcome {HARM}\n".encode() * 3)
    end(channel)


def end(channel: paramiko.Channel) -> None:
    channel.send_exit_status(1)
    channel.close()


def works(answer: Callable[[str, list[str]], list[bytes]]) -> Callable[[paramiko.Channel, str], None]:
    """Speak as our program does, and answer each request with these frames."""

    def program(channel: paramiko.Channel, command: str) -> None:
        nonce = command.split()[-2]
        heard = channel.makefile("rb")
        channel.sendall(b"tempo-infra\n")
        with contextlib.suppress(Exception):
            while frame := read_frame(nonce, heard.readline, heard.read):
                if frame[0] == "request":
                    for piece in answer(nonce, [one["name"] for one in frame[1]]):
                        channel.sendall(piece)

    return program


def fails(nonce: str, steps: list[str]) -> list[bytes]:
    """Events, of which one ends in an escape that the next goes on with; then a failure in many words."""
    split = ("x\x1b", "]0;owned\x07", "\u202e", HARM)
    events = [
        encode(nonce, "event", {"step": steps[0], "state": state, "detail": text})
        for text in split
        for state in ("started", "progress", "ended", "failed")
    ]
    words = {"failed": steps[0], "error": HARM, "remedy": HARM, "now": HARM}
    return [*events, encode(nonce, "reply", {"results": [], **words})]


def lies(nonce: str, steps: list[str]) -> list[bytes]:
    """A state whose every word is made to do harm."""
    state = harmful(asdict(FRESH))
    state["manifest"] = ""
    state["texts"] = {"etc/sysctl.d/60-tempo-infra.conf": HARM * 3}
    results = [state if step == "state" else {} for step in steps]
    return [encode(nonce, "reply", {"results": results})]


HOSTS: dict[str, dict[str, Any]] = {
    "a banner": {"banner": BANNER, "program": ends},
    "a version": {"version": f"SSH-1.5-{HARM}".replace("\n", " ")},
    "no ssh": {"version": f"{HARM}\nHTTP/1.1 400 {HARM}"},
    "a shell that ends": {"program": ends},
    "a shell that greets": {"program": greets},
    "a failure": {"banner": BANNER, "program": works(fails)},
    "a state": {"banner": BANNER, "program": works(lies)},
}
SAID = ("a banner", "a shell that ends", "a shell that greets", "a failure", "a state")
CASES = [
    *(("plan", name, "paramiko") for name in HOSTS if name != "no ssh"),
    *(("plan", name, "openssh") for name in ("a banner", "a version", "a failure")),
    *(("provision --yes", name, "paramiko") for name in ("a failure", "a state")),
    ("status", "a shell that greets", "openssh"),
    *(("trust", name, "paramiko") for name in ("a banner", "no ssh")),
    ("trust", "a banner", "openssh"),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    new_key(tmp_path / "id_ed25519")
    return tmp_path


@contextlib.contextmanager
def hostile(folder: Path, name: str, transport: str) -> Iterator[tuple[Sshd, Path]]:
    key = new_key(folder / "host_key")
    with sshd(key, **HOSTS[name]) as server:
        text = (
            example("single.yaml").read_text("utf-8").replace("address: 203.0.113.10", "address: 127.0.0.1")
        )
        login = f"ssh:\n  port: {server.port}\n  transport: {transport}\n  keys: [id_ed25519]"
        inventory = folder / "solo.yaml"
        inventory.write_text(text.replace("ssh:", login, 1) + "\naccept: [floating-images]\n")
        (folder / "known_hosts").write_text(server.known)
        yield server, inventory


@pytest.mark.parametrize(("command", "name", "transport"), CASES)
def test_nothing_of_a_hosts_steers_the_terminal(place: Path, command: str, name: str, transport: str) -> None:
    with hostile(place, name, transport) as (server, inventory):
        if command == "trust":
            (place / "known_hosts").unlink()
        shown = at_terminal([*command.split(), "-i", str(inventory)], place, typed=b"n\n")
        assert server.connections >= 1
    assert "Traceback" not in shown
    assert "this is a bug" not in shown
    found = NEVER.search(shown)
    assert found is None, repr(shown[max(0, found.start() - 60) : found.end() + 60])
    left = OURS.sub("", shown)
    assert "\x1b" not in left, repr(left)
    assert not [line for line in re.split(r"[\r\n]+", left) if line.startswith(FORGED)], repr(left)
    assert "solo-1" in shown
    if name in SAID and command != "trust":  # it was all there to be shown
        assert "[red]m[/red]" in shown
