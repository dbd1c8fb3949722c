"""Pictures of what commands print, from what they printed: python -m docs.pictures.

record NAME -- COMMAND   run it in a terminal; keep what the screen showed at its end, as NAME.ansi
draw                     an SVG of every recording
report REPORT.html       a PNG of the top of an HTML report of check-host
"""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from fcntl import ioctl
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES = Path(__file__).parent / "images"
COLUMNS = 88
REPORT_SIZE = (1100, 900)  # pixels
CONTROL = re.compile(r"\x1b\[[?>]?[0-9;]*([A-Za-z])")
# rich's own, but for the font, which it would fetch from elsewhere
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: 20px ui-monospace, "DejaVu Sans Mono", Menlo, monospace; white-space: pre }}
.{unique_id}-title {{ font: bold 18px system-ui, sans-serif }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def screen(said: str) -> str:
    """Return what a terminal shows at the end: lines that were drawn again stand there once.

    Knows what rich writes to redraw lines: up, erase, carriage return; colours stay.
    """
    lines, row = [""], 0
    at = 0
    while at < len(said):
        control = CONTROL.match(said, at)
        if control is None:
            sign, at = said[at], at + 1
            if sign == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif sign != "\r":
                lines[row] += sign
            continue
        at = control.end()
        if control[1] == "m":
            lines[row] += control[0]
        elif control[1] == "K":
            lines[row] = ""
        elif control[1] == "A":
            row -= int(control[0][2:-1] or 1)
    return "\n".join(line.rstrip() for line in lines).rstrip("\n") + "\n"


def record(command: list[str]) -> str:
    """Run a command in a terminal; return its line, and below it what the screen showed."""
    terminal, inside = pty.openpty()
    ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    with subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside, env=environment):
        os.close(inside)
        said = b"".join(_read(terminal))
    os.close(terminal)
    return f"\x1b[1m$ {shlex.join(command)}\x1b[0m\n{screen(said.decode())}"


def _read(terminal: int) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(terminal, 1 << 16):
            yield part


def drawing(name: str, shown: str) -> str:
    """Return the SVG of what a screen showed."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(shown.rstrip("\n")))
    return console.export_svg(title="tempo-infra", code_format=SVG, unique_id=name)


def photograph(report: Path, to: Path) -> None:
    browser = shutil.which("chromium") or sys.exit("needs chromium: make browser")
    with tempfile.TemporaryDirectory() as profile:
        quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars")
        quiet = (*quiet, "--disable-background-networking", "--disable-component-update", "--disable-sync")
        size = f"--window-size={REPORT_SIZE[0]},{REPORT_SIZE[1]}"
        command = [browser, *quiet, f"--user-data-dir={profile}", size, f"--screenshot={to}"]
        subprocess.run([*command, report.resolve().as_uri()], check=True, timeout=90, capture_output=True)


def main(words: list[str]) -> None:
    match words:
        case ["record", name, "--", *command]:
            (IMAGES / f"{name}.ansi").write_text(record(command))
        case ["draw"]:
            for path in sorted(IMAGES.glob("*.ansi")):
                path.with_suffix(".svg").write_text(drawing(path.stem, path.read_text()))
        case ["report", report]:
            photograph(Path(report), IMAGES / "report.png")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
