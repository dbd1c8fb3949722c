"""Take secrets out of text before anybody sees it, in each form in which they leak."""

from __future__ import annotations

import base64
import json
import re
import shlex
import urllib.parse
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tempo_infra.secrets.secret import Secret

SHORTEST_CHARACTERS: Final = 6  # a shorter value would black out innocent words


def redactor(secrets: Iterable[Secret]) -> Callable[[str], str]:
    """Return what takes every form of these secrets out of a text, and puts `<secret NAME>` there.

    Forms: as it is, base64 (both alphabets, at any offset inside a longer text), percent-encoded,
    hexadecimal, quoted for a shell, for JSON and by Python's repr. Of several lines (PEM) also each line by
    itself, but those that every PEM has.
    Secrets under 6 characters are left alone; the store accepts none that short.
    """
    forms = [(form, secret.name) for secret in secrets for form in _long_forms(secret.value)]
    if not forms:
        return str
    forms.sort(key=lambda one: len(one[0]), reverse=True)  # the longest first: it may hold a shorter one
    pattern = re.compile("|".join(f"({_pattern(form)})" for form, _ in forms))
    return partial(pattern.sub, lambda found: f"<secret {forms[(found.lastindex or 1) - 1][1]}>")


def _pattern(form: str) -> str:
    """Match the form; the two digits of a percent-encoded byte in either case."""
    return re.sub("%[0-9A-F]{2}", lambda found: f"(?i:{found.group()})", re.escape(form))


def _long_forms(value: str) -> frozenset[str]:
    if len(value) < SHORTEST_CHARACTERS:
        return frozenset()
    lines = [line for line in value.splitlines() if len(line) >= SHORTEST_CHARACTERS and line[:5] != "-----"]
    parts = {value, *lines}
    return frozenset(form for one in parts for form in _forms(one) if len(form) >= SHORTEST_CHARACTERS)


def _forms(value: str) -> Iterator[str]:
    data = value.encode()
    yield value
    yield shlex.quote(value)
    yield value.replace("'", "'\\''")  # the other habit of quoting inside '…'
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    yield from (data.hex(), data.hex().upper())
    yield from (urllib.parse.quote(value), urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value))
    for offset in range(3):
        yield from _base64_at(data, offset)


def _base64_at(data: bytes, offset: int) -> Iterator[str]:
    """Yield the digits that depend on the value alone when `offset` (mod 3) other bytes stand before it.

    So `user:password` of HTTP's basic authentication is found too.
    """
    digits = base64.b64encode(bytes(offset) + data).decode("ascii").rstrip("=")
    first = (offset * 8 + 5) // 6
    last = (offset + len(data)) * 8 // 6
    yield digits[first:last]
    yield digits[first:last].translate(str.maketrans("+/", "-_"))
