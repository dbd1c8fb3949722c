"""`--help` of each command: an example first, and nothing is cut, however narrow the terminal is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from typer.testing import CliRunner

from tempo_infra.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def _walk(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _walk(child, (*words, name))


EVERY = [pytest.param(*one, id=" ".join(one[0])) for one in _walk(typer.main.get_command(app))]
COMMANDS = [one for one in EVERY if not hasattr(one.values[1], "commands")]


def _shown(words: tuple[str, ...], columns: int) -> str:
    done = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": str(columns), "NO_COLOR": "1"})
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize(("words", "command"), COMMANDS)
def test_the_help_has_an_example(words: tuple[str, ...], command: Any) -> None:
    _, example, *_ = command.help.split("\n\n")
    assert example.startswith(f"Example: tempo-infra {' '.join(words)}")
    assert " ".join(example.split()) in " ".join(_shown(words, 80).split())


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize(("words", "command"), EVERY)
def test_names_stand_whole_and_words_too(words: tuple[str, ...], command: Any, columns: int) -> None:
    output = _shown(words, columns)
    assert [line for line in output.splitlines() if len(line) > columns] == []
    shown = re.findall(r"[^\s,\[\];]+", output)
    options = [name for one in command.params for name in (*one.opts, *one.secondary_opts) if name[0] == "-"]
    helped = [one.help or "" for one in (*command.params, *getattr(command, "commands", {}).values())]
    summaries = [word for text in helped for word in re.findall(r"[^\s,\[\];]+", text.partition("\n\n")[0])]
    assert [word for word in (*options, *summaries, "--help") if word not in shown] == []


ENTRY = re.compile(
    r"(-\w, )?--[a-z-]+( / --[a-z-]+)?( ([A-Z][A-Z0-9=,:@]*|OLD\.json|[a-z]+(\|[a-z]+)+))?|[A-Z@]+|[a-z-]+"
)


@pytest.mark.parametrize(("words", "command"), EVERY)
def test_values_have_words_of_ours(words: tuple[str, ...], command: Any) -> None:
    """FILE, HOST, SECONDS, or what there is to choose from; no type of a programming language."""
    _, _, lists = _shown(words, 80).partition("\nOptions:")
    entries = re.findall(r"^  (\S.*?)(?:  |$)", lists, re.MULTILINE)
    assert len(entries) > len([one for one in command.params if one.param_type_name == "option"])
    assert [one for one in entries if not ENTRY.fullmatch(one)] == []
    assert not re.search(r"x[<>]=|<=x|(?<![\d.])\d+\.0(?![\d.])", lists)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("restore", 'Did you mean "rollback"?'),
        ("roolback", 'Did you mean "rollback"?'),
        ("rotate", 'Did you mean "secrets rotate"?'),
        ("destroyed", ""),
        ("xyz", ""),
    ],
)
def test_another_word_for_a_command(typed: str, meant: str) -> None:
    done = CliRunner().invoke(app, [typed])
    assert done.exit_code == 2
    assert done.output.rstrip().endswith(f'No such command "{typed}". {meant}'.rstrip())
