"""Reading facts that came from a host or a file: strict, bounded, and free of control characters."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from tempo_infra import sanitize
from tempo_infra.errors import TempoInfraError
from tempo_infra.on_host.facts import SCHEMA, Facts
from tempo_infra.on_host.wire import read_json

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MAX_TEXT_BYTES = 1024 * 1024  # 200 containers make about 200 kB; as objects it is fifty times as much
MAX_STRING = 2000


class FactsError(TempoInfraError):
    """These facts can't be judged: cut off, of another version, or not facts at all."""


@cache
def _adapter() -> TypeAdapter[Facts]:
    from pydantic import TypeAdapter

    return TypeAdapter(Facts)


def read_facts(text: str | bytes, *, host: str = "") -> Facts:
    """Return the facts that a JSON text holds; FactsError with what is wrong with it."""
    from pydantic import ValidationError

    plain = _plain(text, host)
    found = plain.get("schema") if isinstance(plain, dict) else None
    if found != SCHEMA:
        raise FactsError(
            f"facts of schema {found!r}; this version reads {SCHEMA}",
            remedy="take them again with this version of tempo-infra: --save-facts FILE",
            host=host,
        )
    try:
        facts = _adapter().validate_json(json.dumps(plain), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FactsError(f"the facts are not valid: {where}: {first['msg']}", host=host) from error
    if not _known(plain, json.loads(json.dumps(facts.to_json()))):
        raise FactsError("the facts hold keys that this version doesn't know", host=host)
    return facts


def _known(plain: Any, read: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Whether all that was there was read; what is new since has its default."""
    if isinstance(plain, dict) and isinstance(read, dict):
        return plain.keys() <= read.keys() and all(_known(value, read[key]) for key, value in plain.items())
    if isinstance(plain, list) and isinstance(read, list):
        return len(plain) == len(read) and all(map(_known, plain, read))
    return bool(plain == read)


def _plain(text: str | bytes, host: str) -> Any:  # noqa: ANN401 - any JSON value until it is checked
    if len(text) > MAX_TEXT_BYTES:
        raise FactsError(f"{len(text)} bytes are more than facts can be", host=host)
    try:
        return _clean(read_json(text))
    except (ValueError, RecursionError) as error:
        raise FactsError(f"the facts are not JSON: {error}"[:300], host=host) from error


def _clean(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Take out what could steer a terminal; a host's own words come from outside."""
    if isinstance(value, str):
        return sanitize.cut(sanitize.one_line(value[: 2 * MAX_STRING]), MAX_STRING)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        found = {_clean(key): _clean(one) for key, one in value.items()}
        if len(found) != len(value):  # they differed in what can't be seen
            raise ValueError("two names in it look the same")
        return found
    return value
