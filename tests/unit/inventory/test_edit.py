"""Editing: one value changes, every comment stays, and the result says what it should."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.errors import InputError, StepFailedError
from tempo_infra.inventory.document import parse
from tempo_infra.inventory.edit import change, edited, write
from tempo_infra.inventory.load import loads
from tests.unit.inventory.texts import EXAMPLES, FILE, VALID

if TYPE_CHECKING:
    from pathlib import Path

    from tempo_infra.inventory.problems import Loc

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("text", "loc", "value", "result"),
    [
        ("a: 1 # one\n", ("a",), "2", "a: 2 # one\n"),
        ("a: 'x'  # one\n", ("a",), "y", "a: y  # one\n"),
        ("a: # one\nb: 2\n", ("a",), "1", "a: 1 # one\nb: 2\n"),
        ("a: {b: 1} # one\n", ("a", "b"), "2", "a: {b: 2} # one\n"),
        ("a: {b: 1} # one\n", ("a", "c"), "2", "a: {b: 1, c: 2} # one\n"),
        ("a: {b: } # one\n", ("a", "c"), "2", "a: {b: null, c: 2 } # one\n"),
        ("a: {b: {}}\n", ("a", "b", "x:1"), "2", 'a: {b: {"x:1": 2}}\n'),
        ("a: {} # one\nb: 1\n", ("a", "c"), "2", "a: # one\n  c: 2\nb: 1\n"),
        ("a: # one\nb: 1\n", ("a", "c"), "2", "a: # one\n  c: 2\nb: 1\n"),
        ("a: null # one\nb: 1\n", ("a", "c"), "2", "a: # one\n  c: 2\nb: 1\n"),
        ("a:\n    b: 1 # one\n\n# end\n", ("a", "c"), "2", "a:\n    b: 1 # one\n    c: 2\n\n# end\n"),
        ("a:\n  b: [\n    1,\n  ]\nd: 1\n", ("a", "c"), "2", "a:\n  b: [\n    1,\n  ]\n  c: 2\nd: 1\n"),
        ("a:\n  - {b: 1}\n", ("c",), "2", "a:\n  - {b: 1}\nc: 2\n"),
        ("a:\n  b: >-\n    x\n\nc: 1\n", ("a", "d"), "2", "a:\n  b: >-\n    x\n  d: 2\n\nc: 1\n"),
        ("a: 1", ("b",), "2", "a: 1\nb: 2\n"),
        ("a: 1\r\nb: 2\r\n", ("c", "d"), "3", "a: 1\r\nb: 2\r\nc:\r\n  d: 3\r\n"),
        ("a: 1\n", ("b", "c", "d"), "2", "a: 1\nb:\n  c:\n    d: 2\n"),
        ("a: {b: 1}\n", ("a", "c", "d", "e"), "2", "a: {b: 1, c: {d: {e: 2}}}\n"),
        ("æ: 'ø' # å\na: 1\n", ("a",), "2", "æ: 'ø' # å\na: 2\n"),
        ("{a: 1}\n", ("b",), "2", "{a: 1, b: 2}\n"),
    ],
)
def test_one_value_changes(text: str, loc: Loc, value: str, result: str) -> None:
    assert edited(text, [(loc, value)]) == result


@pytest.mark.parametrize(
    ("text", "loc", "result"),
    [
        ("a: 1 # one\nb: 2\n", ("a",), "b: 2\n"),
        ("a:\n  b: 1\n  c: 2 # two\n# end\n", ("a", "c"), "a:\n  b: 1\n# end\n"),
        ("a: # what\n  b: 1\nd: 2\n", ("a", "b"), "a: {} # what\nd: 2\n"),
        ("a: {b: 1, c: 2} # x\n", ("a", "b"), "a: {c: 2} # x\n"),
        ("a: {b: 1, c: 2} # x\n", ("a", "c"), "a: {b: 1} # x\n"),
        ("a: {b: 1}\n", ("a", "b"), "a: {}\n"),
        ("a:\r\n  b: 1\r\n  c:\r\n", ("a", "c"), "a:\r\n  b: 1\r\n"),
        ("a:\n  b: >-\n    x\n    y\n  c: 1\n", ("a", "b"), "a:\n  c: 1\n"),
        ("a: 1\nb: 2", ("b",), "a: 1\n"),
    ],
)
def test_one_entry_goes(text: str, loc: Loc, result: str) -> None:
    assert edited(text, [(loc, None)]) == result


@pytest.mark.parametrize(("text", "loc"), [("a: 1\n", ("b",)), ("a: [1]\n", ("a", "b")), ("- a\n", ("a",))])
def test_what_is_not_there_can_not_go(text: str, loc: Loc) -> None:
    with pytest.raises(InputError, match="by hand"):
        edited(text, [(loc, None)])


@pytest.mark.parametrize(
    ("text", "loc"), [("{}\n", ("a",)), ("a: [1]\n", ("a", "b")), ("a: 1\n", ("a", "b")), ("- a\n", ("a",))]
)
def test_what_can_not_be_edited_is_refused(text: str, loc: Loc) -> None:
    with pytest.raises(InputError, match="by hand"):
        edited(text, [(loc, "1")])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_take_digests_and_measurements(path: Path) -> None:
    text = path.read_text("utf-8")
    host = loads(text, FILE).hosts[0].name
    resources: Loc = ("hosts", host, "resources")
    new = edited(
        text,
        [
            (("images", "digests", "postgres:17"), DIGEST),
            (("images", "digests", "temporalio/ui:2.50.1"), DIGEST),
            ((*resources, "vcpu"), "3"),
            ((*resources, "disk", "size"), "81919MiB"),
            ((*resources, "measured"), "2026-11-20"),
        ],
    )
    found = loads(new, FILE)
    assert found.images.digests == {"postgres:17": DIGEST, "temporalio/ui:2.50.1": DIGEST}
    assert (found.hosts[0].resources.vcpu, found.hosts[0].resources.measured) == (3, "2026-11-20")
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    assert [line.partition("#")[2] for line in new.splitlines() if "#" in line] == comments


KEYS = st.sampled_from(["a", "b", "c:1", "d/e:2.1"])


@st.composite
def documents(draw: st.DrawFn, depth: int = 0, *, flow: bool = False) -> str:
    """A map in block or flow style, with comments, empty values and empty maps."""
    keys = draw(st.lists(KEYS, min_size=0 if flow or depth else 1, max_size=3, unique=True))
    if flow:
        values = [draw(_flow_values(depth)) for _ in keys]
        return "{" + ", ".join(f'"{key}": {value}' for key, value in zip(keys, values, strict=True)) + "}"
    if not keys:
        return draw(st.sampled_from([" {}\n", " # nothing\n", " ~ # nothing\n"]))
    lines = "\n" if depth else ""
    for key in keys:
        kind = draw(st.sampled_from(["scalar", "flow", "block"] if depth < 3 else ["scalar"]))
        lines += f"{'  ' * depth}{key}:"
        if kind == "block":
            lines += draw(documents(depth + 1))
        else:
            value = (
                draw(documents(depth + 1, flow=True))
                if kind == "flow"
                else draw(st.sampled_from(["1", "'x'", ""]))
            )
            lines += f" {value}" + draw(st.sampled_from(["\n", " # why\n", "\n\n# about\n"]))
    return lines


def _flow_values(depth: int) -> st.SearchStrategy[str]:
    scalars = st.sampled_from(["1", "'x'", "[1, 2]"])
    return scalars if depth > 2 else st.one_of(scalars, documents(depth + 1, flow=True))


@given(
    documents(), st.lists(st.tuples(st.lists(KEYS, min_size=1, max_size=4), st.integers(0, 9)), max_size=3)
)
def test_any_edit_says_what_it_should_or_is_refused(text: str, wanted: list[tuple[list[str], int]]) -> None:
    """`edited` compares its result with what it should say; here, that it also keeps every comment."""
    try:
        new = edited(text, [(tuple(loc), str(value)) for loc, value in wanted])
    except InputError:
        return
    if wanted:
        node: object = parse(new)[0].value
        for key in wanted[-1][0]:
            assert isinstance(node, dict)
            node = node[key]
        assert node == wanted[-1][1]
    assert new.count("#") == text.count("#")


def test_a_change_that_would_make_the_file_wrong_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(VALID)
    with pytest.raises(StepFailedError, match="not a digest") as caught:
        change(path, [(("images", "digests", "postgres:17"), "latest")])
    assert "nothing was contacted" not in str(caught.value)
    assert path.read_text() == VALID
    change(path, [(("images", "digests", "postgres:17"), DIGEST)])
    assert loads(path.read_text(), path).images.digests == {"postgres:17": DIGEST}


def test_a_file_is_replaced_at_once_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("old")
    path.chmod(0o640)
    write(path, "new: å\r\n")
    assert path.read_bytes() == "new: å\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [found.name for found in tmp_path.iterdir()] == ["a.yaml"]
    (tmp_path / "link.yaml").symlink_to("a.yaml")
    with pytest.raises(InputError, match="is a link"):
        write(tmp_path / "link.yaml", "other\n")
    assert path.read_bytes() == "new: å\r\n".encode()


@pytest.mark.parametrize("name", ["file/inventory.yaml", "n" * 300])
def test_a_file_that_can_not_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=f"{name}: can't be written: "):
        write(tmp_path / name, "cluster: oslo\n")
