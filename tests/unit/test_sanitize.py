"""Somebody else's text: nothing in it moves a cursor, hides, or passes for another line."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_infra.errors import HostKeyError, InputError, StepFailedError, TempoInfraError
from tempo_infra.report.wrapping import lines
from tempo_infra.sanitize import LONGEST_LINE, inert, message, one_line, visible

SEQUENCES = {
    "colour": "\x1b[1;31mred\x1b[0m",
    "colour, 8 bits": "\x9b31mred\x9b0m",
    "erase and go up": "\x1b[2K\x1b[1A\x1b[?25lred",
    "title, ended by BEL": "\x1b]0;owned\x07red",
    "title, ended by ST": "\x1b]2;owned\x1b\\red",
    "title, 8 bits": "\x9d0;owned\x9cred",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07red",
    "hyperlink": "\x1b]8;;https://evil.example\x1b\\red\x1b]8;;\x1b\\",
    "device control": "\x1bP1$r0m\x1b\\red",
    "device control, 8 bits": "\x90q\x9cred",
    "start of string": "\x1bXhidden\x1b\\red",
    "privacy message": "\x1b^hidden\x9cred",
    "application command": "\x1b_Gf=100;AAAA\x1b\\red",
    "reset": "\x1bcred",
    "character set": "\x1b(0red",
    "cursor saved": "\x1b7red\x1b8",
    "cut short": "red\x1b[38;5;",
    "alone at the end": "red\x1b",
    "in each other": "\x1b\x1b[0m\x1b]0;\x1b[31mred",
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_an_escape_sequence_goes_as_a_whole(name: str) -> None:
    assert visible(SEQUENCES[name]) == "red"
    assert one_line(SEQUENCES[name]) == "red"


def test_an_open_string_ends_with_its_line() -> None:
    assert visible("a\x1b]0;hidden\nb") == "a\nb"


@pytest.mark.parametrize(
    "char",
    "\x00\x07\x08\x7f\x85\u00ad\u034f\u061c\u115f\u180e\u200b\u200d\u200e\u200f\u2028\u2029\u202e\u2060\u2066\u2069"
    "\u2800\u3164\ud800\ue000\ufeff\uffa0\ufff9\uffff\U0001bca0\U0001d173\U000e0001\U000e0041",
)
def test_what_can_not_be_seen_is_a_question_mark(char: str) -> None:
    assert visible(f"a{char}b") == "a?b"


@pytest.mark.parametrize(
    "text",
    ["blåbær", "日本語", "עברית", "हिन्दी", "ภาษาไทย", "Tiếng Việt", "4.2\u00a0ms", "✓ → ≤ µ", "a\tb\n c"],
)
def test_letters_of_every_script_and_our_own_signs_stay(text: str) -> None:
    assert visible(text) == text
    assert visible(unicodedata.normalize("NFD", text)) == unicodedata.normalize("NFD", text)


def test_marks_do_not_pile_up_and_another_look_is_left_out() -> None:
    assert visible("a" + "\u0300" * 500 + "b") == "a" + "\u0300" * 4 + "b"
    assert visible("✔\ufe0f\U000e0100") == "✔"


def test_one_line_has_no_other_way_to_end_it() -> None:
    text = "a\r\nb\rc\n\n\x0bd\x0ce\x85f\u2028g\u2029h\ti"
    assert one_line(text) == "a b c d e f g h i"
    assert one_line("10 %\r20 %\r\x1b[2K100 %\r\n") == "10 % 20 % 100 %"


def test_no_line_of_a_message_passes_for_another_message() -> None:
    assert message("no\r\nfront-1: confirmed\n  two\n") == "no\n  front-1: confirmed\n  two\n"


def test_a_name_in_a_locale_that_can_not_read_it_is_read() -> None:
    assert visible("bl\udcc3\udca5b\udcc3\udca6r") == "blåbær"
    assert visible("\udcc2\udc9b31mred") == "red"  # the introducer of 8 bits, in bytes


@given(st.text())
def test_whatever_it_is_nothing_steers(text: str) -> None:
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff]", visible(text)
    )
    assert all(char.isprintable() or unicodedata.category(char) == "Zs" for char in one_line(text))
    assert visible(visible(text)) == visible(text)


HARM = "x\x1b]0;owned\x07\r\nfront-1: confirmed\u202e"


@pytest.mark.parametrize("kind", [TempoInfraError, HostKeyError, StepFailedError])
def test_an_error_cleans_what_it_says_wherever_that_is_from(kind: type[TempoInfraError]) -> None:
    error = kind(HARM, remedy=HARM, host="db-1\x1b[2J")
    assert (error.what, error.remedy, error.host) == ("x\n  front-1: confirmed?",) * 2 + ("db-1",)
    assert error.args == (error.what,)
    assert len(kind("x" * 10_000).what) == LONGEST_LINE


def test_bad_input_keeps_a_line_for_each_problem() -> None:
    error = InputError("a.yaml:1:1: x\na.yaml:2:1: \x1b[2Jy\n2 errors; nothing was contacted")
    assert error.what == "a.yaml:1:1: x\na.yaml:2:1: y\n2 errors; nothing was contacted"


NAMES = {"error", "add-mask", "stop-commands", "group", "r2d2"}  # and the word that ends a stop


def commands(line: str) -> list[str]:
    """The commands that GitHub's runner, or Azure's, finds in a line (its ActionCommand.cs)."""
    start = line.strip()
    name, end, _ = start[2:].partition("::") if start.startswith("::") else ("", "", "")
    found = [name.split(" ")[0]] if end and name.split(" ")[0].lower() in NAMES else []
    return found + re.findall(r"##(?:vso|teamcity)?\[", line)


COMMAND_TEXTS = [
    "x\n::error file=a.py::owned\n  ::add-mask::e\n\t::stop-commands::z",
    "::ADD-MASK::e",
    "\u00a0::error::e",
    "x ##[group]y",
    "x\n##[error]y",
    "a ##vso[task.setvariable variable=x]y",
    "###[group]y",
    "port 1 is taken by " + "x" * 58 + " ::add-mask::e",
    "\x1b[0m::r2d2::",
    ":\x1b[0m:error::e",
]


@pytest.mark.parametrize("text", COMMAND_TEXTS)
def test_a_ci_runner_finds_no_command_however_lines_are_broken(text: str) -> None:
    assert any(commands(line) for line in re.sub("\x1b.0m", "", text).replace(" ::", "\n::").split("\n"))
    error, listed = StepFailedError(text, remedy=text, host="db-1"), InputError(text)
    for said in (one_line(text), message(text), str(error), str(listed), error.remedy):
        for line in (*said.split("\n"), *lines(said, "  ", "    "), *lines(said, "", "", 8)):
            assert commands(line) == []


@given(st.text(st.sampled_from(":#[] \n\u00a0er-")).map(lambda text: text.replace("e", "error")))
def test_whatever_it_is_it_commands_nothing(text: str) -> None:
    for said in (one_line(text), message(text)):
        assert [
            commands(line) for line in (*said.split("\n"), *lines(said, "", "", 8)) if commands(line)
        ] == []
        assert inert(said) == said


@pytest.mark.parametrize(
    "text",
    ["listens on ::1 and [::]:7233", "host all all ::1/128 scram", "::ffff:10.0.0.1", "'a'::text", "std::x"],
)
def test_addresses_and_types_stay(text: str) -> None:
    assert one_line(text) == text
