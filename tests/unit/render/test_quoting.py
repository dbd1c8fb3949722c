"""Whatever a value is, it reads back as itself, by the parsers that count, and never as more than one."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tempo_infra.render import parse, quoting

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NASTY = [
    "",
    "NO",
    "22:22",
    "1e3",
    "0x1f",
    "null",
    "~",
    "a: b",
    "# x",
    "- a",
    "it's",
    '"',
    "\\",
    "a\nb: c",
    "$HOME",
    "{{x}}",
]
SCALARS = TEXT | st.sampled_from(NASTY) | st.integers(-(2**63), 2**63) | st.booleans()


@given(value=SCALARS)
def test_yaml_reads_back_in_both_versions(value: str | int | bool) -> None:
    document = f"before: 1\nkey: {quoting.yaml(value)}\nafter: 2\n"
    wanted = {"before": 1, "key": value, "after": 2}
    assert yaml.safe_load(document) == wanted
    assert YAML(typ="safe", pure=True).load(document) == wanted
    assert parse.yaml(document) == wanted


@pytest.mark.parametrize("value", NASTY)
def test_yaml_keeps_the_type_of_a_string(value: str) -> None:
    found = yaml.safe_load(f"- {quoting.yaml(value)}")[0]
    assert isinstance(found, str)
    assert found == value


@given(value=TEXT)
def test_yaml_may_be_a_key_and_an_element(value: str) -> None:
    quoted = quoting.yaml(value)
    assert yaml.safe_load(f"{quoted}: [{quoted}, x]") == {value: [value, "x"]}


@given(value=TEXT | st.sampled_from(["$X", "${X}", "$$", "a$"]))
def test_compose_interpolates_nothing(value: str) -> None:
    found = yaml.safe_load(f"key: {quoting.compose(value)}")["key"]
    assert found.replace("$$", "") == value.replace("$", "")
    assert found.replace("$$", "$") == value or "$" in value
    assert not re.search(r"(?<!\$)(\$\$)*\$(?!\$)", found)


@given(value=TEXT.filter(lambda text: "\0" not in text) | st.sampled_from(NASTY))
def test_postgresql_conf_reads_back(value: str) -> None:
    document = f"before = 1\nname = {quoting.pgconf(value)}\nafter = 2\n"
    assert parse.pgconf(document) == {"before": "1", "name": value, "after": "2"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "on"),
        (140, "140"),
        (0.9, "0.9"),
        ("912MB", "912MB"),
        ("lz4", "lz4"),
        ("*", "'*'"),
        ("a'b", "'a''b'"),
    ],
)
def test_postgresql_conf_stays_readable(value: str | float, text: str) -> None:
    assert quoting.pgconf(value) == text


STRICT: dict[str, tuple[Callable[[quoting.Scalar], str], list[str]]] = {
    "ident": (quoting.ident, ["tempo-infra", "postgres", "temporal_local"]),
    "hba": (quoting.hba, ["temporal", "10.0.0.1/32", "temporal,temporal_visibility", "fd00::1/128"]),
    "sysctl": (quoting.sysctl, ["vm.swappiness", "10", "1024 65535", "net.ipv4.tcp_rmem"]),
    "limits": (quoting.limits, ["65535", "unlimited", "*", "-"]),
    "unit": (quoting.unit, ["/var/lib/tempo-infra", "10.0.0.11", "tempo-infra.service"]),
    "tmpfiles": (quoting.tmpfiles, ["/sys/kernel/mm/transparent_hugepage/enabled", "madvise"]),
    "pgname": (quoting.pgname, ["shared_buffers", "auto_explain.log_min_duration"]),
}


@pytest.mark.parametrize("name", STRICT)
def test_strict_formats_take_what_they_need(name: str) -> None:
    quote, good = STRICT[name]
    assert [quote(value) for value in good] == good


@pytest.mark.parametrize("name", STRICT)
@pytest.mark.parametrize(
    "value", ["", "a\nb", "a\n", "a#b", "a b c", "a=b", "%h", "é", " a", "a ", "'a'", True]
)
def test_strict_formats_refuse_what_could_be_more(name: str, value: str | bool) -> None:
    with pytest.raises(ValueError, match="is not"):
        STRICT[name][0](value)


@pytest.mark.parametrize("name", STRICT)
@given(value=TEXT)
def test_strict_formats_refuse_or_give_back(name: str, value: str) -> None:
    try:
        quoted = STRICT[name][0](value)
    except ValueError:
        return
    assert quoted == value
    assert not set(value) & set("\n\r\t#=\"'\\%$`")


@given(value=st.text(max_size=60))
def test_a_comment_stays_one_line(value: str) -> None:
    line = f"# {quoting.comment(value)}"
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert yaml.safe_load(f"{line}\na: 1") == {"a": 1}
    assert parse.pgconf(f"{line}\na = 1") == {"a": "1"}


@pytest.mark.parametrize("value", ["plain", "with space", "it's", "$(reboot)", "`x`", "a\nb", "-n", '"'])
def test_a_shell_word_reads_back(value: str) -> None:
    done = subprocess.run(["sh", "-c", f"printf %s {quoting.sh(value)}"], capture_output=True, check=True)
    assert done.stdout.decode() == value
    assert parse.sh(f"x {quoting.sh(value)} y # it's") == ["x", value, "y"]


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e30])
def test_numbers_are_plain(value: float) -> None:
    with pytest.raises(ValueError, match="not a plain number"):
        quoting.yaml(value)


@pytest.mark.parametrize("quote", [quoting.yaml, quoting.compose, quoting.pgconf])
def test_half_a_character_is_refused(quote: Callable[[quoting.Scalar], str]) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        quote("a\ud800")
