"""Which kernel values files of sysctl.d and tmpfiles.d set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDERS = ("etc/sysctl.d/", "etc/tmpfiles.d/")
LINE = re.compile(r"^\s*-?([a-z0-9_.\-/]+)\s*=[ \t]*(.*?)\s*$", re.MULTILINE)  # of sysctl.d
WRITTEN = re.compile(  # a line of tmpfiles.d
    r"^w\S*[ \t]+(/sys/\S+|/proc/sys/\S+)(?:[ \t]+\S+){4}[ \t]+(.*?)[ \t]*$", re.MULTILINE
)


def values_in(texts: "Iterable[str]") -> "dict[str, str]":
    """Return the values that these files set, by their path without the slash."""
    found = {}
    for text in texts:
        found.update({"proc/sys/" + _slashes(key): plain(value) for key, value in LINE.findall(text)})
        found.update({path.lstrip("/"): value for path, value in WRITTEN.findall(text)})
    return found


def plain(value: str) -> str:
    return " ".join(value.split())  # the kernel shows several numbers with tabs between


def _slashes(key: str) -> str:
    """Apply the rule of sysctl: the first separator decides which one it is; the other stands for itself."""
    return key if "/" in key.partition(".")[0] else key.translate(str.maketrans("./", "/."))
