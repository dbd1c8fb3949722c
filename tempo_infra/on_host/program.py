"""The running program as a file: the host starts it to decide alone, and the next run need not send it.

The file is the zip that was sent, with what this host's Python made of the modules in it; another Python
reads their text again. It is called after what was sent and after its own content, and what
`deploy/payload.py` sends ahead compares both before it believes them.
"""

from __future__ import annotations

import hashlib
import io
import marshal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tempo_infra.on_host.durable import replace_file

if TYPE_CHECKING:
    from tempo_infra.on_host.layout import Layout

FILE = "program-{name}-{digest}.zip"
NAME_DIGITS = 32  # of the name that the controller has given it, the zip's comment


def save(layout: Layout) -> str:
    """Keep the running program, unless it was started from there, and return its file in the state folder."""
    content = _running()
    for path in layout.state.glob(FILE.format(name="*", digest=_digest(content))):
        return path.name
    made = _with_bytecode(content, layout)
    file = FILE.format(name=_name(content), digest=_digest(made))
    replace_file(layout.state / file, made, 0o600)
    return file


def others(layout: Layout) -> "list[Path]":
    """Return the kept programs that this one's controller does not ask for."""
    try:
        ours = FILE.format(name=_name(_running()), digest="*")
    except OSError:  # started from a folder
        ours = ""
    return [path for path in layout.state.glob("program-*.zip") if not (ours and path.match(ours))]


def _running() -> bytes:
    return Path(sys.path[0]).read_bytes()


def _name(content: bytes) -> str:
    return content[-NAME_DIGITS:].decode("ascii", errors="replace")


def _with_bytecode(content: bytes, layout: Layout) -> bytes:
    """Add the modules that are in use as bytecode: to compile them is a third of what starting costs."""
    import zipfile
    from importlib.util import MAGIC_NUMBER

    head = MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)  # PEP 552: by a hash that nobody compares
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name in archive.namelist():
            if name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") in sys.modules:
                code = compile(archive.read(name), str(layout.state / name), "exec", dont_inherit=True)
                entry = zipfile.ZipInfo(f"{name}c", date_time=(1980, 1, 1, 0, 0, 0))
                archive.writestr(entry, head + marshal.dumps(code))
    return buffer.getvalue()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
