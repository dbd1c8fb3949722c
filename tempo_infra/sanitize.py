"""Text that somebody else wrote, fit to be shown: a host, a banner, a registry, a server, a branch.

Escape sequences go as a whole. What steers a terminal, turns the direction of reading or can't be seen
becomes a question mark. What a CI runner would take for a command gets a space. Letters of every script stay.
"""

from __future__ import annotations

import io
import re
import unicodedata

LONGEST_LINE = 2000  # characters of a line that anybody reads
MOST_LINES = 1000  # of a message
MOST_MARKS = 4  # upon one letter: more than any script has, and higher than a line
CUT = "…"

# ECMA-48 5.4 and 5.6, with the introducers of 7 and of 8 bits. A string ends with its line, too: what
# follows an open one is still worth reading.
ESCAPES = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"  # colours, the cursor, erasing
    "|(?:\x1b[P\\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x9c|\x1b\\\\)?"  # title, clipboard
    "|\x1b[ -/]*[0-~]?"
)
# Controls but tab and newline, what ends a line for some readers alone, halves of characters, marks of
# direction, what has no width or no look (Unicode's Default_Ignorable_Code_Point, a blank of Braille).
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
VARIANTS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # another look of the character before
UNREAD = re.compile("[\udc80-\udcff]+")  # bytes of a name, in a locale that can't read them
BREAKS = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
# Commands in a log: `::error file=…::` where a line begins, which any word does that is wrapped (GitHub; an
# address such as ::1 is none), and `##[group]`, `##vso[…]`, `##teamcity[…]` anywhere.
COMMANDS = re.compile(r"(?<!\S):(?=:[A-Za-z][\w-]*(?:::|\s|$))|#(?=#[\w.]*\[)")


def visible(text: str) -> str:
    """Return a text of any length whose lines and tabs are as they were."""
    if text.isascii() and text.isprintable():
        return text
    fit = INVISIBLE.sub("?", VARIANTS.sub("", ESCAPES.sub("", UNREAD.sub(_read, text))))
    return fit if fit.isascii() else _without_towers(fit)


def one_line(text: str) -> str:
    """Return the text as one line that commands nothing: instead of line ends and tabs there are spaces."""
    return inert(flat(text))


def flat(text: str) -> str:
    """Return the text as one line, with what commands a CI runner: for who looks for secrets in it."""
    if text.isascii() and text.isprintable():
        return text
    lines = (visible(line).replace("\t", " ").strip() for line in BREAKS.split(ESCAPES.sub("", text)))
    return " ".join(filter(None, lines))


def message(text: str) -> str:
    """Return lines of which none looks like another message: those after the first are indented."""
    first, *rest = visible(re.sub("\r|\t", " ", text)).split("\n")[:MOST_LINES]
    lines = [first, *(line if line[:1] in ("", " ") else f"  {line}" for line in rest)]
    return inert("\n".join(cut(line.rstrip()) for line in lines))


def inert(text: str) -> str:
    """Return a text of any length in which a CI runner finds no command, however its lines are broken."""
    return COMMANDS.sub(lambda mark: f"{mark[0]} ", text)


def cut(text: str, longest: int = LONGEST_LINE) -> str:
    """Return what fits, with a mark where something is left out."""
    return text if len(text) <= longest else text[: longest - 1] + CUT


def _read(raw: re.Match[str]) -> str:
    return raw[0].encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _without_towers(text: str) -> str:
    """Leave out marks that pile up; a question mark for what this Python's Unicode doesn't know."""
    kept, marks = io.StringIO(), 0  # a list of characters would be eighty times as long as the text
    for char in text:
        kind = unicodedata.category(char)
        marks = marks + 1 if kind[0] == "M" else 0
        if marks <= MOST_MARKS:
            kept.write(char if char.isprintable() or kind == "Zs" or char in "\t\n" else "?")
    return kept.getvalue()
