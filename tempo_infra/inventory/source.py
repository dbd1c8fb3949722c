"""The inventory's text: read, bounded, and free of what people can't see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra import trees
from tempo_infra.inventory.problems import Mark, Problem, refuse
from tempo_infra.sanitize import INVISIBLE

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 1024 * 1024


def read(path: Path) -> str:
    """Return the text of a file; InputError when it can't be an inventory's."""
    data = _read_bytes(path)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse(path, [Problem(None, (), "the file is UTF-16; save it as UTF-8")])
    if data.startswith(b"\xef\xbb\xbf"):
        what = "the file begins with a byte order mark; save it as UTF-8 without one"
        raise refuse(path, [Problem(Mark(1, 1), (), what)])
    if b"\0" in data:
        raise refuse(path, [Problem(None, (), "is no text file")])
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        mark = _mark_at(data[: error.start].decode())
        raise refuse(path, [Problem(mark, (), "not UTF-8 text")]) from None
    return text


def check_visible(text: str, path: Path) -> None:
    """InputError when the text holds a character that people can't see."""
    if found := INVISIBLE.search(text.replace("\r\n", " \n")):
        what = f"an invisible character, U+{ord(found[0]):04X}; remove it"
        raise refuse(path, [Problem(_mark_at(text[: found.start()]), (), what)])


def _mark_at(before: str) -> Mark:
    return Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _read_bytes(path: Path) -> bytes:
    try:
        return trees.read(path, MOST_BYTES)
    except FileNotFoundError:
        what = "there is no such file; `tempo-infra init` writes one"
        raise refuse(path, [Problem(None, (), what)]) from None
    except trees.UnfitError as error:
        where = "" if error.path == path else f"{error.path}: "
        what = f"{where}{error.why}" + (f": {error.remedy}" if error.remedy else "")
        raise refuse(path, [Problem(None, (), what)]) from None
