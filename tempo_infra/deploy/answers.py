"""What a host answers, before anybody believes it: of the right shape, and harmless for a terminal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from tempo_infra.errors import StepFailedError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tempo_infra.on_host.state import HostState

# Controls but tab and newline; the characters that turn the direction of reading; halves of characters.
_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufffe\uffff]"
)

Answer = TypeVar("Answer")


def harmless(value: Any, hide: Callable[[str], str] = str) -> Any:  # noqa: ANN401 - any JSON value
    """Return it without secrets, and with a question mark for every character that could steer a terminal."""
    if isinstance(value, str):
        return _UNFIT.sub("?", hide(value))
    if isinstance(value, list):
        return [harmless(one, hide) for one in value]
    if isinstance(value, dict):
        return {harmless(key, hide): harmless(one, hide) for key, one in value.items()}
    return value


def one_line(text: str, longest: int = 300) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:longest]


def read(adapter: TypeAdapter[Answer], value: object, host: str, what: str) -> Answer:
    """Return a value as its type says; UnreachableError for anything else."""
    try:
        return adapter.validate_python(value)
    except (ValidationError, RecursionError) as error:
        where = error.errors()[0]["loc"] if isinstance(error, ValidationError) else ("depth",)
        raise _nonsense(host, f"{what}, {one_line('.'.join(map(str, where)))}") from None


def _nonsense(host: str, where: str) -> UnreachableError:
    return UnreachableError(
        f"the host's answer makes no sense ({where})",
        host=host,
        remedy="is something between the two, or an own program in place of ours?",
    )


def manifest(state: HostState) -> Mapping[str, Mapping[str, Any]]:
    """Return "files" and "services" of the host's current generation; StepFailedError when it is damaged."""
    if not state.manifest:
        return {"files": {}, "services": {}}
    try:
        body = json.loads(state.manifest)
        files, services = body["files"], body["services"]
        if all(isinstance(one["sha256"], str) for one in files.values()) and all(
            isinstance(one["job"], bool) for one in services.values()
        ):
            return {"files": files, "services": services}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise StepFailedError(
        "the manifest of the current generation is damaged",
        host=state.hostname,
        remedy="`tempo-infra rollback` goes to the generation before",
    )
