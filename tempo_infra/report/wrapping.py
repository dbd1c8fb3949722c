"""Lines for a terminal of 80 columns: broken at spaces; a long word or a command of ours is never cut."""

from __future__ import annotations

import re
import textwrap

WIDTH = 80
# With its options and what stands right behind them: a person pastes it as it is.
_COMMAND = re.compile(
    r"tempo-infra(?: [a-z-]+){1,2}(?: --?[a-z-]+[ =][^\s;,)`]+)+(?: [\w.-]+)?(?: --[a-z-]+)*"
)
_KEPT = "\N{NO-BREAK SPACE}"


def lines(text: str, first: str, following: str, width: int = WIDTH) -> list[str]:
    """Break a text at `width` columns; `first` stands before the first line, `following` before others."""
    whole = _COMMAND.sub(lambda command: command[0].replace(" ", _KEPT), text)
    found = textwrap.wrap(
        whole,
        width,
        initial_indent=first,
        subsequent_indent=following,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_KEPT, " ") for line in found]


def wrapped(text: str, indent: int, first: str | None = None) -> str:
    """Return the text with `indent` spaces before each line; `first` stands before the first one instead."""
    return "\n".join(lines(text, " " * indent if first is None else first, " " * indent))
