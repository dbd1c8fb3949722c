"""Lines for a terminal of 80 columns: broken at spaces, a long word never cut."""

from __future__ import annotations

import textwrap

WIDTH = 80


def wrapped(text: str, indent: int, first: str | None = None) -> str:
    """Return the text with `indent` spaces before each line; `first` stands before the first one instead."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=" " * indent if first is None else first,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
