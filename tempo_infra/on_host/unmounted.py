"""Mounts that this host wants and does not have: what lies there then is on another disk, and empty."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

OCTAL = re.compile(r"\\([0-7]{3})")  # a space is \040, in fstab and in mountinfo
MOST_BYTES = 1 << 20


def unmounted(root: Path, folder: Path) -> str:
    """Say which mount on the way to a folder is wanted and missing; nothing when all are there.

    Wanted is what /etc/fstab lists without `noauto`, and what a mount unit of the administrator's names.
    """
    way = [PurePosixPath("/") / folder.relative_to(root)]
    points = [str(one) for one in (*way, *way[0].parents) if str(one) != "/"]
    there = {_plain(words[4]) for words in _lines(root / "proc/self/mountinfo") if len(words) > 4}  # noqa: PLR2004  # fields of a line
    for point in points:
        if wanted := _wanted(root, point) if point not in there else "":
            return f"{wanted} mounts a disk at {point}, and nothing is mounted there: `mount {point}` first"
    return ""


def _wanted(root: Path, point: str) -> str:
    for words in _lines(root / "etc/fstab"):
        if len(words) > 3 and _plain(words[1]).rstrip("/") == point and "noauto" not in words[3].split(","):  # noqa: PLR2004  # fields of a line
            return "/etc/fstab"
    unit = f"etc/systemd/system/{point.strip('/').replace('-', chr(92) + 'x2d').replace('/', '-')}.mount"
    return f"/{unit}" if (root / unit).is_file() else ""


def _lines(file: Path) -> "list[list[str]]":
    try:
        with file.open("rb") as opened:
            text = opened.read(MOST_BYTES).decode(errors="replace")
    except OSError:
        return []
    return [words for line in text.splitlines() if (words := line.split()) and not words[0].startswith("#")]


def _plain(text: str) -> str:
    return OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
