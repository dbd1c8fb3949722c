"""YAML rewritten from what was read and judged: nothing else of an own file reaches a host.

Comments are no part of what is judged, and readers differ in how a value may be written. To Temporal's server
a comment says even that the file is a template of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_infra.errors import InputError
from tempo_infra.render.parse import READERS
from tempo_infra.render.quoting import FORMATS, comment
from tempo_infra.render.roundtrip import TYPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tempo_infra.render.engine import Rendered
    from tempo_infra.render.quoting import Scalar


def written(head: str, rendered: Rendered, found: object, reader: str) -> str:
    """Return a file's text: YAML from what was found in it, under a comment; other formats as they are.

    InputError for what can't be written so that every reader takes it for the same.
    """
    if reader not in TYPED:
        return rendered.text
    try:
        text = "\n".join((f"# {comment(head)}", *_lines(found, FORMATS[reader]), ""))
        same = READERS[reader](text) == found
    except ValueError as error:
        raise InputError(f"{rendered.template}: {error}") from error
    if not same:
        raise InputError(f"{rendered.template}: what it renders can't be written so that all read the same")
    return text


def _lines(value: object, quote: Callable[[Scalar], str]) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            first, *rest = _lines(item, quote)
            if isinstance(item, dict | list) and item:
                yield f"{quote(key)}:"
                yield from (f"  {line}" for line in (first, *rest))
            else:
                yield f"{quote(key)}: {first}"
    elif isinstance(value, list) and value:
        for item in value:
            first, *rest = _lines(item, quote)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    elif isinstance(value, str | int | float):
        yield quote(value)
    else:
        yield "null" if value is None else "{}" if isinstance(value, dict) else "[]"
