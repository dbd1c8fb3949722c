"""Scripts and units as lines: an own one may differ from ours in lines that mean nothing wherever they stand.

What reads them has rules of its own about quotes, blanks and lines that go on. None is imitated here: a line
is free by its pattern, or it has to be ours to the byte.
"""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_SHOWN: Final = 160  # characters of a line; ours are shorter
SCRIPT_FREE: Final = re.compile(r"[ \t]*(#[^\\\n]*)?")
UNIT_FREE: Final = re.compile(
    r"[ \t]*([#;][^\\\n]*)?|(Description|Documentation)=[^\\\n]*|RestartSec=[1-9][0-9]{0,2}(s|min)?", re.ASCII
)


def differing(own: str, ours: str, free: re.Pattern[str]) -> Iterator[str]:
    """Yield what is more, and what is missing, in the lines that are not free."""
    mine, meant = _bound(own, free), _bound(ours, free)
    if mine != meant:
        added = [line for line in mine if line not in meant]
        gone = [line for line in meant if line not in mine]
        yield from (*map(_shown, added), *(f"{_shown(line)} is missing" for line in gone))
        if not added and not gone:
            yield "its lines are in another order"


def _bound(text: str, free: re.Pattern[str]) -> list[str]:
    """Return the lines that mean something; what follows a backslash is a part of the line before."""
    return [
        line
        for before, line in pairwise(["", *text.split("\n")])
        if before.endswith("\\") or not free.fullmatch(line)
    ]


def _shown(line: str) -> str:
    told = short(line, LONGEST_SHOWN)
    return told if line.isascii() and line.strip() else ascii(told)


def short(text: str, most: int) -> str:
    """Return a text, or its beginning and a digest: another end of it is seen, too."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… (sha256 {hashlib.sha256(text.encode()).hexdigest()[:12]}…)"
