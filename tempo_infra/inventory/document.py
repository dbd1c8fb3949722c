"""YAML text to a tree that knows where each value stands.

The YAML 1.2 core schema, and of YAML's features only what an inventory needs: no tags, anchors or aliases,
one document, bounded depth and size, no key twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import yaml

from tempo_infra.inventory.problems import Loc, Mark, Problem, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is 50 times faster
DEEPEST = 40
MOST_NODES = 20_000  # about 600 hosts

# An int with a leading zero is decimal in YAML 1.2 and octal in 1.1: here it stays text, nobody has to guess.
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,19})")
_LEAST, _MOST = -(2**63), 2**64 - 1  # what is beyond is a number, and no whole one, for the servers, too
_HEX = re.compile(r"0x[0-9a-fA-F]{1,15}")
_OCTAL = re.compile(r"0o[0-7]{1,20}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,18}|(0|[1-9][0-9]{0,39})(\.[0-9]{0,18})?)([eE][-+]?[0-9]{1,3})?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class WrittenInt(int):
    """A whole number that remembers how it was written."""

    text: str


class WrittenFloat(float):
    """A number that remembers how it was written: 1.10 is the version "1.10", not 1.1."""

    text: str


Plain: TypeAlias = str | int | float | bool | None
Value: TypeAlias = "Plain | list[Value] | dict[str, Value]"


@dataclass(frozen=True, slots=True)
class Scalar:
    text: str
    plain: bool  # written without quotes, so its type is the core schema's
    mark: Mark
    start: int  # in characters from the start of the text
    end: int

    @property
    def value(self) -> Plain:
        return core_schema(self.text) if self.plain else self.text


@dataclass(slots=True)
class Sequence:
    mark: Mark
    start: int
    end: int
    flow: bool
    items: list[Node] = field(default_factory=list)

    @property
    def value(self) -> list[Value]:
        return [item.value for item in self.items]


@dataclass(frozen=True, slots=True)
class Entry:
    key: Scalar
    node: Node


@dataclass(slots=True)
class Mapping:
    mark: Mark
    start: int
    end: int
    flow: bool
    entries: dict[str, Entry] = field(default_factory=dict)

    @property
    def value(self) -> dict[str, Value]:
        return {name: entry.node.value for name, entry in self.entries.items()}


Node: TypeAlias = Scalar | Sequence | Mapping


class MalformedError(Exception):
    """The text is no YAML that we take."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


def core_schema(text: str) -> Plain:
    """Resolve a plain scalar: numbers, true, false, null; everything else (`NO`, `22:22`, `0600`) is text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and _LEAST <= int(text) <= _MOST:
        return _written_int(text, int(text))
    if _HEX.fullmatch(text) or _OCTAL.fullmatch(text):
        return _written_int(text, int(text, 0))
    if _FLOAT.fullmatch(text):
        return _written_float(text, float(text))
    if _NOT_FINITE.fullmatch(text):
        return _written_float(text, float(text.replace(".", "")))
    return text


def _written_int(text: str, value: int) -> WrittenInt:
    number = WrittenInt(value)
    number.text = text
    return number


def _written_float(text: str, value: float) -> WrittenFloat:
    number = WrittenFloat(value)
    number.text = text
    return number


def parse(text: str) -> tuple[Node, list[Problem]]:
    """Return one document's tree, and its duplicate keys (the tree has the first of them).

    MalformedError at the first thing that leaves no tree to go on with.
    """
    builder = _Builder(text)
    try:
        return builder.document(), builder.duplicates
    except yaml.MarkedYAMLError as error:
        raise MalformedError(_syntax_problem(text, error)) from None


class _Builder:
    """Reads events until something is refused: a bomb costs no more than what is before it."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=LOADER)
        self._nodes = 0
        self.duplicates: list[Problem] = []

    def document(self) -> Node:
        next(self._events)  # the stream's start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise MalformedError(Problem(None, (), "the file is empty"))
        root = self._node(next(self._events), ())
        next(self._events)  # the document's end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise MalformedError(Problem(_mark(event), (), "a second document; an inventory is one document"))
        return root

    def _node(self, event: yaml.Event, loc: Loc) -> Node:
        self._refuse_features(event, loc)
        mark, start, end = _mark(event), _start(event), _end(event)
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(event.value, event.style in {None, ""}, mark, start, end)
        if len(loc) >= DEEPEST:
            raise MalformedError(Problem(mark, loc[:4], f"nested deeper than {DEEPEST} levels"))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(Sequence(mark, start, end, event.flow_style is True), loc)
        assert isinstance(event, yaml.MappingStartEvent)  # noqa: S101 - narrows; no other event starts a node
        return self._mapping(Mapping(mark, start, end, event.flow_style is True), loc)

    def _refuse_features(self, event: yaml.Event, loc: Loc) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise MalformedError(Problem(_mark(event), loc, f"more than {MOST_NODES} values"))
        if isinstance(event, yaml.AliasEvent):
            what = f"the alias *{event.anchor}: aliases are not allowed, write the value out"
            raise MalformedError(Problem(_mark(event), loc, what))
        if getattr(event, "anchor", None) is not None:
            what = "an anchor (&): anchors are not allowed, write the value out"
            raise MalformedError(Problem(_mark(event), loc, what))
        if (tag := getattr(event, "tag", None)) is not None:
            raise MalformedError(Problem(_mark(event), loc, f"the tag {_short(tag)}: tags are not allowed"))

    def _sequence(self, node: Sequence, loc: Loc) -> Sequence:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            node.items.append(self._node(event, (*loc, len(node.items))))
        # a block ends, for the parser, only at what follows it: comments and empty lines are not ours
        node.end = _end(event) if node.flow else max([node.end, *(item.end for item in node.items)])
        return node

    def _mapping(self, node: Mapping, loc: Loc) -> Mapping:
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, loc)
            here = (*loc, key.text)
            value = self._node(next(self._events), here)
            if first := node.entries.get(key.text):
                what = f"the key is here twice, first on line {first.key.mark.line}"
                self.duplicates.append(Problem(key.mark, here, what))
            else:
                node.entries[key.text] = Entry(key, value)
            node.end = max(node.end, value.end)
        node.end = _end(event) if node.flow else node.end
        return node

    def _key(self, event: yaml.Event, loc: Loc) -> Scalar:
        if not isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            what = "a key must be plain text; quote a value that begins with a brace"
            raise MalformedError(Problem(_mark(event), loc, what))
        self._refuse_features(event, loc)
        assert isinstance(event, yaml.ScalarEvent)  # noqa: S101 - narrows; an alias was just refused
        return Scalar(event.value, event.style in {None, ""}, _mark(event), _start(event), _end(event))


def _short(tag: str) -> str:
    return quoted(tag.replace("tag:yaml.org,2002:", "!!", 1))


def _mark(event: yaml.Event) -> Mark:
    assert event.start_mark is not None  # noqa: S101 - the parser sets marks on each event
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _start(event: yaml.Event) -> int:
    assert event.start_mark is not None  # noqa: S101 - the parser sets marks on each event
    return event.start_mark.index


def _end(event: yaml.Event) -> int:
    assert event.end_mark is not None  # noqa: S101 - the parser sets marks on each event
    return event.end_mark.index


def _syntax_problem(text: str, error: yaml.MarkedYAMLError) -> Problem:
    """Say what is wrong in our words where the cause can be seen in the text, else in the parser's."""
    position = error.problem_mark or error.context_mark
    if position is None:
        return Problem(None, (), f"not valid YAML: {error.problem}")
    mark = Mark(position.line + 1, position.column + 1)
    lines = text.split("\n")
    line = lines[position.line] if position.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return Problem(mark, (), "a tab indents this line; YAML wants spaces")
    if "{{" in line or "{%" in line:
        return Problem(mark, (), "an inventory is no template; quote the value if it really contains braces")
    where = f", {error.context}" if error.context else ""
    if where and error.context_mark and error.context_mark.line != position.line:
        where += f" that begins on line {error.context_mark.line + 1}"
    return Problem(mark, (), f"not valid YAML: {error.problem}{where}")


def descend(root: Node, loc: Loc) -> Node | None:
    """Return the node at that place, or None when there is none."""
    node: Node | None = root
    for part in loc:
        if isinstance(node, Mapping) and isinstance(part, str) and part in node.entries:
            node = node.entries[part].node
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            return None
    return node


def marks(root: Node, loc: Loc = ()) -> dict[Loc, Mark]:
    """Return where every value of the tree stands."""
    found = {loc: root.mark}
    if isinstance(root, Mapping):
        for name, entry in root.entries.items():
            found |= marks(entry.node, (*loc, name))
    elif isinstance(root, Sequence):
        for number, item in enumerate(root.items):
            found |= marks(item, (*loc, number))
    return found


def mark_of(root: Node, loc: Loc, *, key: bool = False) -> Mark:
    """Return where that place stands, or where its nearest parent's key does when it is missing.

    With `key` the mark is the key's rather than the value's.
    """
    for length in range(len(loc), 0, -1):
        parent, name = descend(root, loc[: length - 1]), loc[length - 1]
        if isinstance(parent, Mapping) and isinstance(name, str) and name in parent.entries:
            entry = parent.entries[name]
            empty = isinstance(entry.node, Scalar) and entry.node.start == entry.node.end
            return entry.key.mark if key or empty or length < len(loc) else entry.node.mark
        if isinstance(parent, Sequence) and isinstance(name, int) and name < len(parent.items):
            return parent.items[name].mark
    return root.mark
