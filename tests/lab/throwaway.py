"""A throw-away PostgreSQL server: made, asked, gone. It runs as `nobody`, in a folder of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

USER = "nobody" if os.geteuid() == 0 else getpass.getuser()
PROTOCOL = 3 << 16
TIMEOUT_S = 60


def run(*words: str | Path) -> str:
    """Run a program as the server's user; its output."""
    done = subprocess.run(
        [str(word) for word in words],
        user=USER, capture_output=True, text=True, check=False, cwd="/", timeout=TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, f"{words[0]}: {done.stdout[-800:]}{done.stderr[-800:]}"
    return done.stdout


@contextmanager
def data_folder(programs: Path) -> Iterator[Path]:
    """A folder with an initialised data directory `data`, and `bin` with programs that the user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="trial-"))
    try:
        shutil.chown(folder, USER)
        folder.chmod(0o755)
        (folder / "bin").symlink_to(_reachable(programs, folder))
        run(folder / "bin" / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "--no-sync")
        yield folder
    finally:
        shutil.rmtree(folder)


def _reachable(programs: Path, folder: Path) -> Path:
    """The programs themselves, or links to their files where a folder above is closed to the user."""
    if all(parent.stat().st_mode & 0o005 == 0o005 for parent in (programs, *programs.parents)):
        return programs
    linked = folder / "programs"
    shutil.copytree(programs.parent, linked, symlinks=True, copy_function=_link)
    return linked / programs.name


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@contextmanager
def started(folder: Path, conf: str, *options: str) -> Iterator[Path]:
    """The server of that folder with a postgresql.conf and options that win over it; yields its socket."""
    file = folder / "trial.conf"
    file.write_text(conf)
    file.chmod(0o644)
    own = [f"config_file={file}", f"unix_socket_directories={folder}", "listen_addresses=", *options]
    words = " ".join(f"-c {option}" for option in own)
    control = (folder / "bin" / "pg_ctl", "-D", folder / "data", "-w", "-t", "60")
    try:
        run(*control, "-l", folder / "data" / "log", "-o", words, "start")
    except AssertionError as error:
        log = folder / "data" / "log"
        raise AssertionError(f"{error}\n{log.read_text()[-1500:] if log.exists() else ''}") from None
    try:
        yield folder / ".s.PGSQL.5432"
    finally:
        run(*control, "-m", "immediate", "stop")


def ask(path: Path, statement: str) -> list[tuple[str, ...]]:
    """The rows of one statement, as text; NULL is "". No psql comes with some builds of the server."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(path))
        words = struct.pack("!I", PROTOCOL) + b"user\0postgres\0database\0postgres\0\0"
        connection.sendall(struct.pack("!I", len(words) + 4) + words)
        stream = connection.makefile("rb")
        _until_ready(stream)
        body = statement.encode() + b"\0"
        connection.sendall(b"Q" + struct.pack("!I", len(body) + 4) + body)
        return _until_ready(stream)


def _until_ready(stream: BinaryIO) -> list[tuple[str, ...]]:
    rows = []
    while True:
        kind, size = struct.unpack("!cI", stream.read(5))
        body = stream.read(size - 4)
        assert kind != b"E", body
        if kind == b"D":
            rows.append(_row(body))
        if kind == b"Z":
            return rows


def _row(body: bytes) -> tuple[str, ...]:
    columns, at = [], 2
    for _ in range(int.from_bytes(body[:2], "big")):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        columns.append(body[at : at + max(size, 0)].decode())
        at += max(size, 0)
    return tuple(columns)
