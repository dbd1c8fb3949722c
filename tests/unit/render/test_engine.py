"""Templates print quoted values and do nothing else."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tempo_infra.errors import InputError
from tempo_infra.render.bounded import CPU_S
from tempo_infra.render.engine import OUTPUT_LIMIT, Engine, Rendered
from tempo_infra.render.templates import SOURCE_LIMIT


@dataclass(frozen=True, slots=True)
class Thing:
    name: str = "x"
    items: tuple[int, ...] = tuple(range(1000))
    _hidden: str = "hidden"
    path: Path = Path("/etc/passwd")

    @property
    def shout(self) -> str:
        return self.name.upper()

    def method(self) -> str:
        return self.name


def run(tmp_path: Path, source: str, **values: object) -> str:
    (tmp_path / "t.j2").write_text(source)
    return Engine(tmp_path).render("t.j2", {"thing": Thing(), **values}, lambda rendered: rendered.text)


def test_values_are_printed_by_their_filter(tmp_path: Path) -> None:
    loop = "{% for n in thing.items %}\n{% if n > 998 %}\nb: {{ n | yaml }}\n{% endif %}\n{% endfor %}\n"
    source = "a: {{ thing.name | yaml }}\n" + loop
    assert run(tmp_path, source) == "a: x\nb: 999\n"


@pytest.mark.parametrize("char", ["\x1b[2J", "\x85", "\r", "\u202e", "\u200b", "\U000e0041"])
def test_a_template_hides_nothing_from_who_reads_it_or_its_diff(tmp_path: Path, char: str) -> None:
    found = f"an invisible character, U\\+{ord(char[0]):04X}"
    with pytest.raises(InputError, match=rf"t\.j2:2:3: {found}; remove it"):
        run(tmp_path, f"a: x\n# {char} y\n")
    with pytest.raises(InputError, match=rf"t\.j2: it renders {found}"):
        run(tmp_path, f"a: {{{{ {char!a} | sh }}}}\n")


def test_properties_and_mappings_are_read(tmp_path: Path) -> None:
    source = (
        "{% for k, v in m.items() %}\n{{ k | yaml }}: {{ v | yaml }} {{ thing.shout | yaml }}\n{% endfor %}\n"
    )
    assert run(tmp_path, source, m={"a": 1}) == "a: 1 X\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ nothing | yaml }}", r"t\.j2:1: 'nothing' is undefined"),
        ("\n{{ thing.nothing | yaml }}", r"t\.j2:2: .*no attribute 'nothing'"),
        ("\n\n{{ thing.name }}", r"t\.j2:3: a value is printed without a quoting filter"),
        ("{{ 'literal' }}", "without a quoting filter"),
        ("{{ thing | yaml }}", "Thing is not a single value"),
        ("{{ thing.items | yaml }}", "tuple is not a single value"),
        ("{{ thing.name | upper | yaml }}", r"t\.j2:1: No filter named 'upper'"),
        ("{{ thing.name.upper() | yaml }}", "unsafe"),
        ("{{ thing.path.read_text() | yaml }}", "unsafe"),
        ("{{ thing.method() | yaml }}", "unsafe"),
        ("{{ thing._hidden | yaml }}", "unsafe"),
        ("{{ thing.__class__ | yaml }}", "unsafe"),
        ("{{ recorded.printed | yaml }}", "unsafe"),
        ("{{ ''.__class__.__mro__ | yaml }}", "unsafe"),
        ("{{ (1 + 1) | yaml }}", "templates compute nothing"),
        ("{{ ('x' * 1000000000) | yaml }}", "templates compute nothing"),
        ("{{ ('a' ~ 'b') | yaml }}", "Concat is refused"),
        ("{% for i in range(9) %}{% endfor %}", "'range' is undefined"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "Macro is refused"),
        ("{% include 't.j2' %}", "Include is refused"),
        ("{% extends 't.j2' %}", "Extends is refused"),
        ("{% set x %}a{% endset %}", "AssignBlock is refused"),
        ("{% for i in thing.items recursive %}{% endfor %}", "only a plain loop"),
        ("{% for i in thing.items if i %}{% endfor %}", "only a plain loop"),
        ("a\n{% if %}", r"t\.j2:2: Expected an expression"),
        ("{{ 'a\\nb' | sysctl }}", "is not a sysctl key or value"),
    ],
)
def test_anything_else_is_refused_with_its_place(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(tmp_path, source)


PAIRS = "{% set a = (1,) %}{% set b = (1,) %}" + "{% set a = (a, a) %}{% set b = (b, b) %}" * 60
ENDLESS = {
    "turns": "{% for a in thing.items %}" * 5 + "{% endfor %}" * 5,
    "comparisons": PAIRS + "{% if a == b %}x{% endif %}",
    "hashes": PAIRS + "{% set c = {a: 1} %}",
    "words of an error": PAIRS + "{{ thing[a] | yaml }}",
    "values": "{% set x = '" + "a" * 200_000 + "' %}{{ x | comment }}" + "zqz0zqz" * 6000,
    "output": "{% for a in thing.items %}{% for b in thing.items %}" + "x" * 1000 + "{% endfor %}" * 2,
}


@pytest.mark.thorough
@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS)
def test_whatever_a_template_does_it_ends(tmp_path: Path, source: str) -> None:
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(InputError, match=r"t\.j2"):
        run(tmp_path, source)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < CPU_S + 1
    assert time.monotonic() - began < 60  # on a busy machine


def test_output_ends(tmp_path: Path) -> None:
    body = "x" * 2000
    loop = (
        f"{{% for a in thing.items %}}{{% if a < {OUTPUT_LIMIT // 1000} %}}{body}{{% endif %}}{{% endfor %}}"
    )
    with pytest.raises(InputError, match="would be larger than 1024 KiB"):
        run(tmp_path, loop)


@pytest.mark.parametrize("number", ["99", "1", "0", "0000001", "9" * 7])
def test_what_stands_for_a_value_is_no_text_of_a_template(tmp_path: Path, number: str) -> None:
    with pytest.raises(InputError, match=rf"t\.j2.*zqz{number}zqz stands for a value"):
        run(tmp_path, f"# zqz{number}zqz\n")


@pytest.mark.parametrize("text", ["zqz", "zqzzqz", f"zqz{'9' * 5000}zqz", "zqz\u0663zqz", "zqz-1zqz"])
def test_what_looks_like_it_is_text(tmp_path: Path, text: str) -> None:
    assert run(tmp_path, text) == text


def test_values_count_as_output_before_they_are_put_in(tmp_path: Path) -> None:
    source = "{% set x = '" + "a" * 200_000 + "' %}# {{ x | comment }}\n" + "# {{ x | comment }}\n" * 5
    with pytest.raises(InputError, match="would be larger than 1024 KiB"):
        run(tmp_path, source)
    assert len(run(tmp_path, source.removesuffix("# {{ x | comment }}\n"))) == 5 * 200_003


@pytest.mark.parametrize(
    "read",
    [lambda _: "x" * (1 << 28), pytest.param(lambda _: sum(range(10**10)), marks=pytest.mark.thorough)],
    ids=["memory", "time"],
)
def test_what_reads_the_output_is_bounded_with_it(tmp_path: Path, read: Callable[[Rendered], object]) -> None:
    """What is read may be worse than the template: it costs what its reader makes of it."""
    (tmp_path / "t.j2").write_text("x")
    with pytest.raises(InputError, match=r"t\.j2: takes more than 2 s or 128 MiB"):
        Engine(tmp_path).render("t.j2", {}, read)


def test_what_is_said_of_a_file_that_is_read_keeps_its_remedy(tmp_path: Path) -> None:
    def refuse(rendered: Rendered) -> str:
        raise InputError(f"{rendered.template.name}: no", remedy="write yes")

    (tmp_path / "t.j2").write_text("x")
    with pytest.raises(InputError, match=r"^t\.j2: no") as told:
        Engine(tmp_path).render("t.j2", {}, refuse)
    assert told.value.remedy == "write yes"


def test_a_huge_template_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"t\.j2: is larger than 256 KiB"):
        run(tmp_path, "x" * (SOURCE_LIMIT + 1))


def test_a_template_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="can't be read"):
        Engine(tmp_path).render("t.j2", {}, lambda rendered: rendered.text)


def test_ours_is_taken_where_the_operator_has_none(tmp_path: Path) -> None:
    (tmp_path / "services" / "history").mkdir(parents=True)
    names = ("services/history/server.yaml.j2", "services/temporal/server.yaml.j2")
    assert Engine(tmp_path).choose(*names) == names[1]
    (tmp_path / names[0]).write_text("own\n")
    engine = Engine(tmp_path)
    assert engine.choose(*names) == names[0]
    assert engine.render(names[0], {}, lambda rendered: rendered.text) == "own\n"
