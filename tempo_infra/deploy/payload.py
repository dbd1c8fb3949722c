"""What is sent to a host to run there: the on_host package as one zip, and the line that starts it."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from tempo_infra import __version__

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

# Reads the zip from standard input into memory, checks it, and serves.
# Lines before the nonce are skipped: sudo may not have taken the password line that was meant for it.
# A line for each piece: on a slow link the controller sees that something arrives.
START = """
import hashlib, os, sys
print("tempo-infra", flush=True)
source = sys.stdin.buffer
line = b"-"
while line and line.strip() != sys.argv[1].encode():
    line = source.readline()
length, digest = source.readline().split() or (b"0", b"")
content = piece = source.read(min(16384, int(length)))
while piece and len(content) < int(length):
    print("tempo-infra", flush=True)
    piece = source.read(min(16384, int(length) - len(content)))
    content += piece
if hashlib.sha256(content).hexdigest() != digest.decode():
    sys.exit("the program arrived cut")
memory = os.memfd_create("tempo-infra")
os.write(memory, content)
sys.path.insert(0, "/proc/self/fd/%d" % memory)
from tempo_infra.on_host.session import main
main(sys.argv[1])
""".strip()

# The same zip is kept on the host while a change is not confirmed; there, systemd starts it.
ALONE = b"from tempo_infra.on_host.alone import main\nmain()\n"


@cache
def program() -> bytes:
    """Return the zip of the on_host package; the same bytes for the same source."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        _add(archive, "tempo_infra/__init__.py", f'__version__ = "{__version__}"\n'.encode())
        _add(archive, "__main__.py", ALONE)
        for name, content in sorted(_sources(files("tempo_infra") / "on_host", "tempo_infra/on_host")):
            _add(archive, name, content)
    return buffer.getvalue()


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found = []
    for item in folder.iterdir():
        if item.is_dir() and item.name != "__pycache__":
            found += _sources(item, f"{prefix}/{item.name}")
        elif item.name.endswith(".py"):
            found.append((f"{prefix}/{item.name}", item.read_bytes()))
    return found


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def opening(nonce: str) -> bytes:
    """Return what is written to the started program before the first request."""
    content = program()
    return f"{nonce}\n{len(content)} {hashlib.sha256(content).hexdigest()}\n".encode() + content
