"""What pydantic found, in our words and at its place in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_infra.inventory.document import Mapping, Node, Scalar, Sequence, descend, mark_of
from tempo_infra.inventory.problems import Problem, did_you_mean
from tempo_infra.inventory.schema import keys_at

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingABC

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "list_type": "a list, such as [a, b]",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
}
_FIXED = {
    "missing": "is missing",
    "too_short": "must not be empty",
    "finite_number": "must be a finite number",
}
_BOUNDS = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}


def problems_of(error: ValidationError, root: Node) -> list[Problem]:
    """Translate every error. A value of the file is shown only where our own validator put it in its text."""
    return [_problem(detail, root) for detail in error.errors(include_input=False, include_url=False)]


def _problem(detail: ErrorDetails, root: Node) -> Problem:
    kind, loc = detail["type"], detail["loc"]
    about_key = kind == "extra_forbidden" or loc[-1:] == ("[key]",)
    if loc[-1:] == ("[key]",):
        loc = loc[:-1]
    return Problem(mark_of(root, loc, key=about_key), loc, _text(kind, loc, detail.get("ctx", {}), root))


def _text(kind: str, loc: tuple[int | str, ...], context: MappingABC[str, Any], root: Node) -> str:
    node = descend(root, loc)
    if kind == "value_error":
        return str(context["error"])
    if kind in _FIXED:
        return _FIXED[kind]
    if kind == "extra_forbidden":
        return f"unknown key{did_you_mean(str(loc[-1]), keys_at(loc[:-1]))}"
    if kind in _WANTED:
        return _wrong_type(_WANTED[kind], node)
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"must be {words} {context[name]}"
    return f"is not as it should be ({kind.replace('_', ' ')})"


def _wrong_type(wanted: str, node: Node | None) -> str:
    if isinstance(node, Scalar) and node.value is None:
        return f"has no value; expected {wanted}"
    return f"expected {wanted}, found {_described(node)}"


def _described(node: Node | None) -> str:
    if isinstance(node, Mapping):
        return "keys and values"
    if isinstance(node, Sequence):
        return "a list"
    value = node.value if node else None
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number (quote it to make it text)"
    if node and not node.plain and node.text.strip("-").isdecimal():
        return "text (take the quotes away)"
    return "text"
