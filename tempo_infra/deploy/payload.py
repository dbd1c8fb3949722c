"""What is sent to a host to run there: on_host and components' probes as one zip, and what starts it."""

from __future__ import annotations

import hashlib
import io
from functools import cache
from pathlib import Path

import tempo_infra
from tempo_infra.components import COMPONENTS
from tempo_infra.on_host.program import NAME_DIGITS

# Takes the program from a file that an earlier run has kept, or else asks for it and reads it from standard
# input; either way into memory, where its digest is compared, and serves. The file counts only where nobody
# but us could have put or changed it.
# Lines before the nonce are skipped: sudo may not have taken the password line that was meant for it. The
# first request follows the nonce at once: mostly the program is there, and nobody waits to be asked for it.
# A line for each piece: on a slow link the controller sees that something arrives. An alarm ends what waits
# for a link that is dead: each part has its time for the whole of it, however it comes.
# The collector looks seldom, and not at the end: what is imported lives as long as the program.
# The whole of it is read before its first line is done, so it is written in what Python 2 can read, too.
# It travels as one line without a backslash of its own or an exclamation mark: csh and fish read those inside
# of quotes, and csh takes no second line there.
OLDEST_PYTHON = (3, 10)
HELLO = b"tempo-infra"  # its first line
START = """
import sys
if sys.version_info < (3, 10):
    sys.exit("tempo-infra: Python %d.%d.%d" % tuple(sys.version_info[:3]))
import hashlib, os, signal
signal.signal(signal.SIGALRM, signal.SIG_DFL)
signal.alarm(120)
import gc
gc.set_threshold(50000)

def say(*words):
    sys.stdout.write(" ".join(words) + chr(10))
    sys.stdout.flush()

say("tempo-infra")
nonce, name = sys.argv[1:]
source, state = sys.stdin.buffer, "/var/lib/tempo-infra"

def ours(descriptor):
    status = os.fstat(descriptor)
    return status.st_uid == os.geteuid() and not status.st_mode & 0o22

def kept():
    folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    for file in os.listdir(folder) if ours(folder) else ():
        if file.startswith("program-%s-" % name):
            with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder), "rb") as opened:
                content = opened.read() if ours(opened.fileno()) else b""
            if file.endswith("-%s.zip" % hashlib.sha256(content).hexdigest()):
                return content
    return b""

def read(count):
    signal.alarm(120 + count // 500)
    content = piece = source.read(min(16384, count))
    while piece and len(content) < count:
        say("tempo-infra")
        piece = source.read(min(16384, count - len(content)))
        content += piece
    return content

def main(content):
    memory = os.memfd_create("tempo-infra")
    os.write(memory, content)
    sys.path.insert(0, "/proc/self/fd/%d" % memory)
    from tempo_infra.on_host.serve import main
    return main

def first():
    line = b"-"
    while line and line.strip() != nonce.encode():
        line = source.readline()
    return int(source.readline() or 0)

try:
    content = kept()
except OSError:
    content = b""
if content:
    serve, request = main(content), b""
    first()
else:
    say("tempo-infra wants", nonce)
    request = read(first())
    length, digest = source.readline().split() or (b"0", b"")
    content = read(int(length))
    if hashlib.sha256(content).hexdigest() != digest.decode():
        sys.exit("the program arrived cut")
    serve = main(content)
signal.alarm(0)
serve(nonce, request)
gc.freeze()
""".strip()

# The same zip is kept on the host; while a change is not confirmed, systemd starts it.
ALONE = b"from tempo_infra.on_host.unattended import main\nmain()\n"
PACKAGE = Path(tempo_infra.__file__).parent


@cache
def _sources() -> dict[str, bytes]:
    texts = {
        "tempo_infra/__init__.py": f'__version__ = "{tempo_infra.__version__}"\n'.encode(),
        "__main__.py": ALONE,
    }
    for path in sorted((PACKAGE / "on_host").rglob("*.py")):
        texts[f"tempo_infra/{path.relative_to(PACKAGE)}"] = path.read_bytes()
    return _probes() | texts


def _probes() -> dict[str, bytes]:
    """Return the modules that components have for their hosts; the packages around them are empty there."""
    found: dict[str, bytes] = {}
    for module in (one.whole.probe for one in COMPONENTS if one.whole.probe):
        path = Path(*module.split("."))
        found |= {f"{folder}/__init__.py": b"" for folder in path.parents if len(folder.parts) > 1}
        found[f"{path}.py"] = (PACKAGE.parent / path).with_suffix(".py").read_bytes()
    return found


@cache
def name() -> str:
    """Return what tells this program from any other: a digest of its source."""
    digest = hashlib.sha256()
    for path, content in _sources().items():
        digest.update(f"{path} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:NAME_DIGITS]


@cache
def program() -> bytes:
    """Return the zip of the on_host package, its name as the comment; the same bytes for the same source."""
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.comment = name().encode()
        for path, content in _sources().items():
            entry = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def command(nonce: str) -> list[str]:
    """Return the words that start the program on a host."""
    one_line = f"exec({START!r})".replace("!", "\\x21")
    return ["python3", "-I", "-c", one_line, nonce, name()]


def opening(nonce: str, request: bytes) -> bytes:
    """Return what is written to the started program: the first request, and how long it is."""
    return f"{nonce}\n{len(request)}\n".encode() + request


def wish(nonce: str) -> bytes:
    """Return the line by which a host asks for the program."""
    return f"tempo-infra wants {nonce}".encode()


def answer() -> bytes:
    """Return what is written then, right after the first request."""
    content = program()
    return f"{len(content)} {hashlib.sha256(content).hexdigest()}\n".encode() + content
