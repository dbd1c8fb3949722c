"""Text from hosts made harmless for each format: a host's own words are never markup."""

from __future__ import annotations

import html
import re

from tempo_infra import sanitize

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~$]|^[-=]|(?<=^\d)[.)](?= ))")  # a list is one at a line's start
# What a forge makes live in plain words, escaped or not: people who are told, links, issues, commits.
_LIVE = re.compile(r"@|#\d|\b[Gg][Hh]-\d|://|\bwww\.|\b(?:mailto|xmpp):|\b(?=\d*[a-f])[0-9a-f]{7,64}\b")


def plain(text: str) -> str:
    """Return one line of what can be seen; XML 1.0 can hold all of it."""
    return sanitize.one_line(text)


def markup(text: str) -> str:
    """Return text for HTML and XML, in elements and in quoted attributes."""
    return html.escape(plain(text), quote=True)


def markdown(text: str) -> str:
    """Return text for a paragraph or a cell of a table; HTML in it stays text, what could be live is code."""
    words = plain(text)
    return code(words) if _LIVE.search(words) else _MARKDOWN.sub(r"\\\1", html.escape(words, quote=False))


def code(text: str) -> str:
    """Return a command as Markdown's code, with as many backticks as it needs; fit for a cell of a table."""
    words = plain(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", words)), default=0))
    pad = " " if "`" in words else ""
    return f"{fence}{pad}{words}{pad}{fence}"


def unlinked(text: str) -> str:
    """Return text for a plain message of SARIF, in which `[words](place)` is a link (§3.11.6)."""
    return plain(text).replace("](", "] (")


def label(text: str) -> str:
    """Return the value of a Prometheus label, without its quotes."""
    return plain(text).replace("\\", "\\\\").replace('"', '\\"')
