"""What a host answers, before anybody believes it: of the right shape and size, harmless for a terminal."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from tempo_infra import sanitize
from tempo_infra.errors import StepFailedError, UnreachableError
from tempo_infra.on_host.manifest import NONE, Manifest, of
from tempo_infra.on_host.wire import Event, Reply, read_json
from tempo_infra.render import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tempo_infra.on_host.state import HostState
    from tempo_infra.on_host.steps.step import Step

MIB = 1024 * 1024
USUAL_BYTES = MIB // 4  # of an event, and of what most steps answer
STEPS_BYTES = {
    "kept-generation": 4 * MIB,
    "facts": MIB,
    "state": 4 * MIB,
    "runs": 4 * MIB,
    "command": 4 * MIB,
    "clock": 4096,
}
WHOLE_TEXTS = {
    "manifest",
    "texts",
    "edited",
    "tampered",
    "out",
}  # fields of answers that hold files, or output
WHOLE_STEPS = {"passwords"}  # what they answer is not shown, and any change would make it another one
LONGEST_TEXT = 4096  # characters of any other one: more than anybody reads
MOST_DEPTH = 40  # of values within each other
LONGEST_S = 1e7  # that a step can have taken
LONGEST_WORDS = 1000  # that are said while a step runs
ALIVE, ROLLBACK = "alive", "rollback"
STATES = {"started", "progress", "ended", "failed", ALIVE}

Answer = TypeVar("Answer")
Told = TypeVar("Told", Event, Reply)
_KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "float": (int, float),
    "list[Any]": (list,),
}


def most_bytes(kind: str, steps: Sequence[Step]) -> int:
    """Return how long a frame of that kind may be; nothing is taken of a kind that a host has no use for."""
    replies = sum(STEPS_BYTES.get(step.name, USUAL_BYTES) for step in steps)
    return {"event": USUAL_BYTES, "reply": replies}.get(kind, -1)


def event(body: object, steps: Sequence[Step], hide: Callable[[str], str]) -> Event:
    """Return what a host said about one of these steps, on one line; TypeError when it is something else."""
    found = _told(Event, body)
    if found.state not in STATES or not 0 <= found.seconds < LONGEST_S:
        raise TypeError("an event that nothing can be")
    if found.state == ALIVE:  # before its first step, and between two requests, it says the last one's name
        return replace(found, step="", detail="")
    _asked(found.step, steps)
    return replace(found, detail=_said(found.detail, hide, LONGEST_WORDS))


def reply(body: object, steps: Sequence[Step], hide: Callable[[str], str]) -> Reply:
    """Return what a host answered to these steps, without secrets and harmless; TypeError."""
    found = _told(Reply, body)
    if not found.failed and len(found.results) != len(steps):
        raise TypeError("it is incomplete")
    if found.failed:
        _asked(found.failed, steps)

    def fit(text: str) -> str:
        return sanitize.message(hide(sanitize.visible(text.replace("\r", " "))))

    results = [  # of a step that failed there is none
        harmless(one, hide, whole=step.name in WHOLE_STEPS)
        for one, step in zip(found.results, steps, strict=False)
    ]
    return Reply(
        results,
        found.failed,
        fit(found.error),
        fit(found.remedy),
        fit(found.now),
        found.needs_person,
        found.left,
    )


def _asked(step: str, steps: Sequence[Step]) -> None:
    """Refuse a step that the host was not asked for, and does not undo by itself. TypeError."""
    if step != ROLLBACK and step not in {one.name for one in steps}:
        raise TypeError("it speaks of a step that it was not asked for")


def _told(kind: type[Told], body: object) -> Told:
    """Make a dataclass of JSON values; TypeError when they are not of its fields' kinds."""
    if not isinstance(body, dict):
        raise TypeError("not an object")
    wanted = {one.name: str(one.type).strip("'\"") for one in fields(kind)}
    for name, value in body.items():
        if type(value) not in _KINDS.get(wanted.get(name, ""), ()):  # `isinstance` takes true for a number
            raise TypeError("a field that nobody knows, or of the wrong kind")
    return kind(**body)  # TypeError when one is missing


def harmless(value: Any, hide: Callable[[str], str], *, whole: bool = False, depth: int = 0) -> Any:  # noqa: ANN401  # what a host said, of any shape
    """Return a JSON value without secrets and without what could steer a terminal; TypeError.

    A text is one line, so that it can't pass for another one of ours, and is cut; `whole`: but it is a file.
    """
    if depth > MOST_DEPTH:
        raise TypeError("it is nested too deep")
    if isinstance(value, str):  # cleaned first: a secret with something invisible in it is a secret
        return hide(sanitize.visible(value)) if whole else _said(value, hide, LONGEST_TEXT)
    if isinstance(value, list | tuple):
        return [harmless(one, hide, whole=whole, depth=depth + 1) for one in value]
    if isinstance(value, dict):
        found = {
            harmless(key, hide): harmless(one, hide, whole=whole or key in WHOLE_TEXTS, depth=depth + 1)
            for key, one in value.items()
        }
        if len(found) != len(value):  # they differed in what can't be seen
            raise TypeError("two names in it look the same")
        return found
    return value


def _said(text: str, hide: Callable[[str], str], longest: int) -> str:
    return sanitize.inert(sanitize.cut(hide(sanitize.flat(text)), longest))


def read(adapter: TypeAdapter[Answer], value: object, host: str, what: str) -> Answer:
    """Return a value as its type says; UnreachableError for anything else.

    Strictly: a number in quotes is none. Nobody has looked how large it is, or whether it is one ("nan").
    """
    try:
        return adapter.validate_json(json.dumps(value), strict=True)
    except (ValidationError, RecursionError) as error:
        where = error.errors()[0]["loc"] if isinstance(error, ValidationError) else ("depth",)
        raise nonsense(host, f"{what}, {sanitize.one_line('.'.join(map(str, where)))}") from None


def yaml(text: str) -> Any:  # noqa: ANN401  # what a host said, of any shape
    """Read YAML that a host holds; ValueError. Its escapes can write what its text doesn't show."""
    try:
        return harmless(parse.yaml(text), str, whole=True)
    except TypeError as error:
        raise ValueError(str(error)) from error


def nonsense(host: str, where: str) -> UnreachableError:
    return UnreachableError(
        f"the host's answer makes no sense ({where})",
        host=host,
        remedy="is something between the two, or an own program in place of ours?",
    )


def manifest(state: HostState) -> Manifest:
    """Return that of the current generation, nothing without one; StepFailedError when it is damaged."""
    if not state.manifest:
        return NONE
    try:
        return of(harmless(read_json(state.manifest), str))  # JSON can write what its text doesn't show
    except (ValueError, TypeError, RecursionError) as error:
        raise StepFailedError(
            "the manifest of the current generation is damaged",
            remedy="`tempo-infra rollback` goes to the generation before",
        ) from error
