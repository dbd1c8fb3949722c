"""Which files a tar archive holds, and where in it: read by its headers alone, nothing is unpacked.

The forms are those that programs write which save images (Go's archive/tar): ustar, with pax or GNU headers
for what does not fit. A device, a sparse file, a hard link, a name that is there twice or leads elsewhere is
refused, and so is what says to be longer than the archive.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK: Final = 512
MOST_ENTRIES: Final = 20_000
MOST_HEADER_BYTES: Final = 64 * 1024  # of a pax header or a long name: what follows is named by it
_FILE, _LINK, _FOLDER = (b"0", b"\0"), b"2", b"5"
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK = b"x", b"g", b"L", b"K"
_OCTAL: Final = re.compile(rb" *([0-7]+)[ \0]*")
_RECORD: Final = re.compile(rb"([1-9][0-9]{0,5}) ([^=\n]{1,200})=")
_REFUSED_KEYS: Final = ("GNU.sparse", "SCHILY.realsize")


class TarError(ValueError):
    """An archive that is not taken; its text says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file's content in an archive."""

    offset: int
    length: int


@dataclass(slots=True)
class Contents:
    files: dict[str, Member] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)  # name -> the name that it stands for, not followed


@dataclass(slots=True)
class _Said:
    """What headers before a file's own say of it."""

    name: str = ""
    link: str = ""
    size: int | None = None


def contents(descriptor: int) -> Contents:
    """Return what an open archive holds; TarError, OSError."""
    found, said = Contents(), _Said()
    end = os.fstat(descriptor).st_size
    names: set[str] = set()
    for offset, header in _headers(descriptor, end, said):
        name = _plain(said.name or _name(header))
        kind, length = header[156:157], _length(header, said)
        if offset + length > end:
            raise TarError(f"it is cut: {name} ends behind the end of the file")
        if kind == _FOLDER:
            said.name, said.link, said.size = "", "", None
            continue
        if name in names:
            raise TarError(f"{name} is in it twice")
        names.add(name)
        if kind in _FILE:
            found.files[name] = Member(offset, length)
        elif kind == _LINK:
            found.links[name] = said.link or _text(header[157:257])
        else:
            raise TarError(f"{name} is neither file nor folder")
        said.name, said.link, said.size = "", "", None
    if not names:
        raise TarError("it is no tar archive, or an empty one")
    return found


def _headers(descriptor: int, end: int, said: _Said) -> Iterator[tuple[int, bytes]]:
    """Yield each entry's header and where its content begins; `said` takes what is said of the next."""
    at = 0
    for _ in range(MOST_ENTRIES):
        header = os.pread(descriptor, BLOCK, at)
        if not header.strip(b"\0"):
            return
        if len(header) < BLOCK or not _sound(header):
            raise TarError("it is no tar archive" if at == 0 else f"it is damaged at byte {at}")
        kind, at = header[156:157], at + BLOCK
        if kind in (_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK):
            length = _number(header[124:136])
            if length > min(MOST_HEADER_BYTES, end - at):
                raise TarError("a header in it is too long")
            _take(kind, os.pread(descriptor, length, at), said)
        else:
            length = _length(header, said) if kind in _FILE else 0
            yield at, header
        at += -(-length // BLOCK) * BLOCK
    raise TarError(f"it holds more than {MOST_ENTRIES} entries")


def _take(kind: bytes, text: bytes, said: _Said) -> None:
    if kind == _LONG_NAME:
        said.name = _text(text)
    elif kind == _LONG_LINK:
        said.link = _text(text)
    else:
        records = dict(_records(text))
        if any(key.startswith(_REFUSED_KEYS) for key in records):
            raise TarError("it holds a sparse file")
        if kind == _PAX_GLOBAL:
            if records.keys() & {"path", "linkpath", "size"}:
                raise TarError("a header in it names every file")
            return
        said.name, said.link = records.get("path", said.name), records.get("linkpath", said.link)
        if "size" in records:
            if not re.fullmatch(r"[0-9]{1,15}", records["size"], re.ASCII):
                raise TarError("a size in it is no number")
            said.size = int(records["size"])


def _records(text: bytes) -> Iterator[tuple[str, str]]:
    r"""Yield key and value of a pax header: "18 path=some/name\n"."""
    at = 0
    while at < len(text):
        head = _RECORD.match(text, at)
        end = at + int(head[1]) if head else 0
        if head is None or not head.end() < end <= len(text) or text[end - 1 : end] != b"\n":
            raise TarError("a header in it can't be read")
        yield _text(head[2]), _text(text[head.end() : end - 1])
        at = end


def _sound(header: bytes) -> bool:
    """Whether a header's sum is its own: of its bytes, with blanks in place of the sum."""
    found = _OCTAL.fullmatch(header[148:156])
    return found is not None and int(found[1], 8) == sum(header) - sum(header[148:156]) + 8 * ord(" ")


def _length(header: bytes, said: _Said) -> int:
    return _number(header[124:136]) if said.size is None else said.size


def _number(text: bytes) -> int:
    if text[:1] == b"\x80":  # GNU's form of what has no room in octal digits
        return int.from_bytes(text[1:], "big")
    found = _OCTAL.fullmatch(text)
    if found is None:
        raise TarError("a size in it is no number")
    return int(found[1], 8)


def _name(header: bytes) -> str:
    name, prefix = _text(header[:100]), _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(raw: bytes) -> str:
    try:
        return raw.partition(b"\0")[0].decode()
    except UnicodeDecodeError:
        raise TarError("a name in it is no text") from None


def _plain(name: str) -> str:
    """Return a name that leads nowhere else, without the slash at a folder's end; TarError."""
    parts = name.removeprefix("./").rstrip("/").split("/")
    if not {"", ".", ".."}.isdisjoint(parts) or not name.isprintable():
        raise TarError(f"a name in it leads out of it: {name[:80]!r}")
    return "/".join(parts)
