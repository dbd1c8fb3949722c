"""Changes of single values in an inventory's text: comments, order and layout of everything else stay."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, TypeAlias

from tempo_infra import trees
from tempo_infra.errors import InputError, StepFailedError
from tempo_infra.inventory.document import Entry, MalformedError, Mapping, Node, Scalar, descend, parse
from tempo_infra.inventory.load import loads
from tempo_infra.inventory.source import read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tempo_infra.inventory.problems import Loc

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*")


Change: TypeAlias = "tuple[Loc, str | None]"


def edited(text: str, changes: Sequence[Change]) -> str:
    """Return the text with each value set; a value is a YAML scalar as it is written, None takes it out.

    Keys that are missing are added, in the style of the map that gets them. The result is read again and
    compared with what it should say: InputError when this can't edit the text, never a broken file.
    """
    try:
        wanted = parse(text)[0].value
        for loc, value in changes:
            text = _without(text, loc) if value is None else _assigned(text, loc, value)
            _put(wanted, loc, None if value is None else parse(value)[0].value, gone=value is None)
        same = parse(text)[0].value == wanted
    except MalformedError:
        same = False
    if not same:
        raise _by_hand()
    return text


def _by_hand() -> InputError:
    return InputError("the file can't be edited without losing something; change it by hand")


def renamed(text: str, loc: Loc, name: str) -> str:
    """Return the text with another key in the place of that one; InputError where there is one already."""
    around = descend(parse(text)[0], loc[:-1])
    if not isinstance(around, Mapping) or loc[-1] not in around.entries or name in around.entries:
        raise _by_hand()
    key = around.entries[str(loc[-1])].key
    return text[: key.start] + (_flow_key(name) if around.flow else _key(name)) + text[key.end :]


def change(path: Path, changes: Sequence[Change], *, rename: tuple[Loc, str] | None = None) -> None:
    """Set values in an inventory file; StepFailedError, and the file as it was, if it would be wrong then.

    `rename`: that key becomes this one, before.
    """
    try:
        text = read(path)
        text = edited(renamed(text, *rename) if rename else text, changes)
        loads(text, path)
    except InputError as error:
        what = str(error).splitlines()[0]
        raise StepFailedError(f"not written, the inventory would be wrong: {what}") from None
    write(path, text)


def write(path: Path, text: str) -> None:
    """Replace the file at once, keeping its mode; what a reader sees is the old text or the new one.

    InputError when the machine does not let it.
    """
    trees.write(path, text.encode(), make=True)


def _put(tree: object, loc: Loc, value: object, *, gone: bool = False) -> None:
    for part in loc[:-1]:
        if not isinstance(tree, dict):
            raise _by_hand()
        if tree.get(part) is None:
            tree[part] = {}
        tree = tree[part]
    if not isinstance(tree, dict):
        raise _by_hand()
    if gone:
        del tree[loc[-1]]
    else:
        tree[loc[-1]] = value


def _without(text: str, loc: Loc) -> str:
    """Take an entry away: its line, or its part of a map in braces. A map that held nothing else is `{}`."""
    root = parse(text)[0]
    around = descend(root, loc[:-1])
    if not isinstance(around, Mapping) or loc[-1] not in around.entries:
        raise _by_hand()
    names = list(around.entries)
    place = names.index(str(loc[-1]))
    entry = around.entries[names[place]]
    start, end = entry.key.start, max(entry.node.end, entry.key.end)
    if around.flow:
        if place + 1 < len(names):
            end = around.entries[names[place + 1]].key.start
        elif place:
            before = around.entries[names[place - 1]]
            start = max(before.node.end, before.key.end)
        return text[:start] + text[end:]
    end = len(text[:end].rstrip())  # a folded text reaches into the next line
    start, end = text.rfind("\n", 0, start) + 1, text.find("\n", end) + 1 or len(text)
    text = text[:start] + text[end:]
    return text if len(names) > 1 else _after(text, _value_place(text, parse(text)[0], loc[:-1]), " {}")


def _assigned(text: str, loc: Loc, value: str) -> str:
    root = parse(text)[0]
    node = descend(root, loc)
    if isinstance(node, Scalar) and node.end > node.start:
        return text[: node.start] + value + text[node.end :]
    if node is not None:
        return _after(text, _value_place(text, root, loc), f" {value}")
    known = max(length for length in range(len(loc)) if descend(root, loc[:length]) is not None)
    parent = descend(root, loc[:known])
    keys = [str(part) for part in loc[known:]]
    if isinstance(parent, Mapping) and parent.entries:
        if parent.flow:
            return _after(text, _end(text, parent), f"{_null(parent)}, {_flow(keys, value)}")
        column = next(iter(parent.entries.values())).key.mark.column - 1
        return _below(text, _end(text, parent), column, keys, value)
    return _first_entry(text, root, loc[:known], keys, value)


def _first_entry(text: str, root: Node, loc: Loc, keys: list[str], value: str) -> str:
    """Put an entry where `key:` or `key: {}` stands."""
    parent, around = descend(root, loc), descend(root, loc[:-1])
    if not loc or parent is None or parent.value or not isinstance(around, Mapping):
        raise _by_hand()
    place = _value_place(text, root, loc)
    text = text[:place] + text[max(parent.end, place) :]  # away with the {} or null
    if around.flow:
        return _after(text, place, f" {{{_flow(keys, value)}}}")
    column = around.entries[str(loc[-1])].key.mark.column + 1
    return _below(text, place, column, keys, value)


def _value_place(text: str, root: Node, loc: Loc) -> int:
    """Return the index just behind the colon of that key."""
    around = descend(root, loc[:-1])
    if not isinstance(around, Mapping):
        raise _by_hand()
    return text.index(":", around.entries[str(loc[-1])].key.end) + 1


def _last(parent: Mapping) -> Entry:
    return max(parent.entries.values(), key=lambda entry: entry.key.start)


def _null(parent: Mapping) -> str:
    """Return what a flow map's last key needs before a comma: without a value, `b:,` is one word."""
    node = _last(parent).node
    return " null" if node.start == node.end else ""


def _end(text: str, parent: Mapping) -> int:
    last = _last(parent)
    if last.node.end > last.node.start:
        return len(text[: last.node.end].rstrip())
    return text.index(":", last.key.end) + 1


def _after(text: str, place: int, addition: str) -> str:
    return text[:place] + addition + text[place:]


def _below(text: str, place: int, column: int, keys: list[str], value: str) -> str:
    """Add lines under the one that the place is on, behind that line's comment."""
    newline = "\r\n" if "\r\n" in text else "\n"
    end_of_line = text.find("\n", place)
    if end_of_line < 0:
        text, end_of_line = text + newline, len(text) + len(newline) - 1
    lines = [f"{' ' * (column + 2 * depth)}{_key(key)}:" for depth, key in enumerate(keys)]
    addition = newline.join(lines) + f" {value}{newline}"
    return text[: end_of_line + 1] + addition + text[end_of_line + 1 :]


def _flow(keys: list[str], value: str) -> str:
    first, *rest = keys
    inner = f"{{{_flow(rest, value)}}}" if rest else value
    return f"{_flow_key(first)}: {inner}"


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else json.dumps(key)


def _flow_key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and ":" not in key else json.dumps(key)
